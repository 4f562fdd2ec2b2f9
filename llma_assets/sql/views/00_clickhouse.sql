-- ClickHouse's names for what DuckDB calls otherwise, so that queries that PostHog publishes need few changes. Keys are
-- literal: `$`, dots and quotes have no meaning in them. A number is a place in an array, from 1. As in ClickHouse, a value
-- that is missing or of another type is '' or 0 or false, not null.

-- A key as a JSON pointer.
CREATE MACRO json_place(key) AS
    '/' || coalesce(CAST(TRY_CAST(CASE WHEN typeof(key) <> 'VARCHAR' THEN key END AS BIGINT) - 1 AS VARCHAR),
                    replace(replace(CAST(key AS VARCHAR), '~', '~0'), '/', '~1'));

CREATE MACRO json_at(json, path) AS TRY(json_extract(CAST(json AS VARCHAR), path));

CREATE MACRO json_string(found) AS
    CASE WHEN json_type(found) = 'VARCHAR' THEN coalesce(found->>'$', '') ELSE '' END;
-- Numbers in strings count, as SDKs write some so.
CREATE MACRO json_float(found) AS
    coalesce(CASE WHEN json_type(found) = 'BOOLEAN' THEN CAST(TRY_CAST(found AS BOOLEAN) AS DOUBLE)
                  ELSE TRY_CAST(found->>'$' AS DOUBLE) END, 0);
CREATE MACRO json_int(found) AS
    CASE WHEN json_float(found) = trunc(json_float(found))
         THEN coalesce(TRY_CAST(found->>'$' AS BIGINT), TRY_CAST(json_float(found) AS BIGINT), 0) ELSE 0 END;

CREATE MACRO JSONExtractRaw
    (json, key) AS coalesce(CAST(json_at(json, json_place(key)) AS VARCHAR), ''),
    (json, key, inner_key) AS coalesce(CAST(json_at(json, json_place(key) || json_place(inner_key)) AS VARCHAR), '');
CREATE MACRO JSONExtractString
    (json, key) AS json_string(json_at(json, json_place(key))),
    (json, key, inner_key) AS json_string(json_at(json, json_place(key) || json_place(inner_key)));
CREATE MACRO JSONExtractFloat
    (json, key) AS json_float(json_at(json, json_place(key))),
    (json, key, inner_key) AS json_float(json_at(json, json_place(key) || json_place(inner_key)));
CREATE MACRO JSONExtractInt
    (json, key) AS json_int(json_at(json, json_place(key))),
    (json, key, inner_key) AS json_int(json_at(json, json_place(key) || json_place(inner_key)));
CREATE MACRO JSONExtractBool
    (json, key) AS json_type(json_at(json, json_place(key))) <> 'VARCHAR' AND json_float(json_at(json, json_place(key))) <> 0;
CREATE MACRO JSONHas
    (json, key) AS json_at(json, json_place(key)) IS NOT NULL,
    (json, key, inner_key) AS json_at(json, json_place(key) || json_place(inner_key)) IS NOT NULL;
CREATE MACRO JSONLength
    (json, key) AS coalesce(json_array_length(json_at(json, json_place(key))), 0);
CREATE MACRO JSONExtractArrayRaw
    (json, key) AS coalesce(TRY(CAST(CAST(json_at(json, json_place(key)) AS JSON[]) AS VARCHAR[])), []),
    (json) AS coalesce(TRY(CAST(CAST(CAST(json AS VARCHAR) AS JSON[]) AS VARCHAR[])), []);
CREATE MACRO JSONExtractKeys
    (json) AS coalesce(TRY(json_keys(CAST(json AS VARCHAR))), []),
    (json, key) AS coalesce(TRY(json_keys(json_at(json, json_place(key)))), []);
-- Pairs as structs `(key, value)`, each value as JSON.
CREATE MACRO JSONExtractKeysAndValuesRaw
    (json) AS list_transform(JSONExtractKeys(json), lambda one: {'key': one, 'value': JSONExtractRaw(json, one)}),
    (json, key) AS list_transform(JSONExtractKeys(json, key), lambda one: {'key': one, 'value': JSONExtractRaw(json, key, one)});

CREATE MACRO toString(value) AS CAST(value AS VARCHAR);
CREATE MACRO toFloat64OrNull(value) AS TRY_CAST(value AS DOUBLE);
CREATE MACRO toFloat64OrZero(value) AS coalesce(TRY_CAST(value AS DOUBLE), 0);
CREATE MACRO toFloat64(value) AS CAST(value AS DOUBLE);
-- HogQL's, in place of an error null.
CREATE MACRO toFloat(value) AS TRY_CAST(value AS DOUBLE);
CREATE MACRO toInt(value) AS TRY_CAST(value AS BIGINT);
CREATE MACRO toInt64OrNull(value) AS TRY_CAST(value AS BIGINT);
CREATE MACRO toInt64OrZero(value) AS coalesce(TRY_CAST(value AS BIGINT), 0);
CREATE MACRO toInt64(value) AS CAST(trunc(CAST(value AS DOUBLE)) AS BIGINT);
CREATE MACRO parseDateTimeBestEffort(value) AS CAST(value AS TIMESTAMPTZ);
CREATE MACRO parseDateTimeBestEffortOrNull(value) AS TRY_CAST(value AS TIMESTAMPTZ);
CREATE MACRO toDateTime(value) AS CAST(value AS TIMESTAMPTZ);
CREATE MACRO toDate(value) AS CAST(value AS DATE);
CREATE MACRO toStartOfHour(value) AS date_trunc('hour', value);
CREATE MACRO toStartOfDay(value) AS date_trunc('day', value);
CREATE MACRO toStartOfWeek(value) AS date_trunc('week', value + INTERVAL 1 DAY) - INTERVAL 1 DAY;
CREATE MACRO toStartOfMonth(value) AS date_trunc('month', value);

-- Of a string or an array.
CREATE MACRO empty(value) AS coalesce(len(value) = 0, true);
CREATE MACRO notEmpty(value) AS coalesce(len(value) > 0, false);
CREATE MACRO has(list, value) AS coalesce(list_contains(list, value), false);
CREATE MACRO arrayJoin(list) AS unnest(list);

-- Over no rows a sum is 0 and a mean is null, where DuckDB says null to both.
CREATE MACRO sumIf(value, condition) AS coalesce(sum(value) FILTER (condition), 0);
CREATE MACRO avgIf(value, condition) AS avg(value) FILTER (condition);
CREATE MACRO minIf(value, condition) AS min(value) FILTER (condition);
CREATE MACRO maxIf(value, condition) AS max(value) FILTER (condition);
CREATE MACRO uniq(value) AS count(DISTINCT value);
CREATE MACRO uniqIf(value, condition) AS count(DISTINCT value) FILTER (condition);
CREATE MACRO groupArray(value) AS list(value) FILTER (value IS NOT NULL);
