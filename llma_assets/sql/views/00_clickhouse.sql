-- ClickHouse's names for what DuckDB calls otherwise, so that queries that PostHog publishes need few changes. Keys are
-- literal: `$`, dots and quotes have no meaning in them. A number is a place in an array, from 1. As in ClickHouse, a value
-- that is missing or of another type is '' or 0 or false, not null.

-- A key as a JSON pointer.
CREATE MACRO json_place(key) AS
    '/' || coalesce(CAST(TRY_CAST(CASE WHEN typeof(key) <> 'VARCHAR' THEN key END AS BIGINT) - 1 AS VARCHAR),
                    replace(replace(CAST(key AS VARCHAR), '~', '~0'), '/', '~1'));

-- What is under a key, or under keys inside one another.
CREATE MACRO json_at
    (json, key) AS TRY(json_extract(CAST(json AS VARCHAR), json_place(key))),
    (json, key, inner_key) AS TRY(json_extract(CAST(json AS VARCHAR), json_place(key) || json_place(inner_key))),
    (json, key, inner_key, innermost) AS
        TRY(json_extract(CAST(json AS VARCHAR), json_place(key) || json_place(inner_key) || json_place(innermost)));

CREATE MACRO json_string(found) AS
    CASE WHEN json_type(found) = 'VARCHAR' THEN coalesce(found->>'$', '') ELSE '' END;
-- Numbers in strings count, as SDKs write some so; but not 'nan' and 'inf', which would spoil every sum.
CREATE MACRO json_float(found) AS
    coalesce(CASE WHEN json_type(found) = 'BOOLEAN' THEN CAST(TRY_CAST(found AS BOOLEAN) AS DOUBLE)
                  WHEN isfinite(TRY_CAST(found->>'$' AS DOUBLE)) THEN TRY_CAST(found->>'$' AS DOUBLE) END, 0);
CREATE MACRO json_int(found) AS
    CASE WHEN json_float(found) = trunc(json_float(found))
         THEN coalesce(TRY_CAST(found->>'$' AS BIGINT), TRY_CAST(json_float(found) AS BIGINT), 0) ELSE 0 END;

CREATE MACRO json_bool(found) AS json_type(found) <> 'VARCHAR' AND json_float(found) <> 0;
CREATE MACRO json_length(found) AS coalesce(json_array_length(found), 0);
CREATE MACRO json_list(found) AS coalesce(TRY(CAST(CAST(CAST(found AS VARCHAR) AS JSON[]) AS VARCHAR[])), []);
CREATE MACRO json_names(found) AS coalesce(TRY(json_keys(CAST(found AS VARCHAR))), []);

-- Under one key, and under two and three inside one another.
CREATE MACRO JSONExtractRaw
    (json, key) AS coalesce(CAST(json_at(json, key) AS VARCHAR), ''),
    (json, key, inner_key) AS coalesce(CAST(json_at(json, key, inner_key) AS VARCHAR), ''),
    (json, key, inner_key, innermost) AS coalesce(CAST(json_at(json, key, inner_key, innermost) AS VARCHAR), '');
CREATE MACRO JSONExtractString
    (json, key) AS json_string(json_at(json, key)),
    (json, key, inner_key) AS json_string(json_at(json, key, inner_key)),
    (json, key, inner_key, innermost) AS json_string(json_at(json, key, inner_key, innermost));
CREATE MACRO JSONExtractFloat
    (json, key) AS json_float(json_at(json, key)),
    (json, key, inner_key) AS json_float(json_at(json, key, inner_key)),
    (json, key, inner_key, innermost) AS json_float(json_at(json, key, inner_key, innermost));
CREATE MACRO JSONExtractInt
    (json, key) AS json_int(json_at(json, key)),
    (json, key, inner_key) AS json_int(json_at(json, key, inner_key)),
    (json, key, inner_key, innermost) AS json_int(json_at(json, key, inner_key, innermost));
CREATE MACRO JSONExtractBool
    (json, key) AS json_bool(json_at(json, key)),
    (json, key, inner_key) AS json_bool(json_at(json, key, inner_key)),
    (json, key, inner_key, innermost) AS json_bool(json_at(json, key, inner_key, innermost));
CREATE MACRO JSONHas
    (json, key) AS json_at(json, key) IS NOT NULL,
    (json, key, inner_key) AS json_at(json, key, inner_key) IS NOT NULL,
    (json, key, inner_key, innermost) AS json_at(json, key, inner_key, innermost) IS NOT NULL;
CREATE MACRO JSONLength
    (json) AS json_length(TRY(CAST(json AS JSON))),
    (json, key) AS json_length(json_at(json, key)),
    (json, key, inner_key) AS json_length(json_at(json, key, inner_key)),
    (json, key, inner_key, innermost) AS json_length(json_at(json, key, inner_key, innermost));
CREATE MACRO JSONExtractArrayRaw
    (json) AS json_list(json),
    (json, key) AS json_list(json_at(json, key)),
    (json, key, inner_key) AS json_list(json_at(json, key, inner_key)),
    (json, key, inner_key, innermost) AS json_list(json_at(json, key, inner_key, innermost));
CREATE MACRO JSONExtractKeys
    (json) AS json_names(json),
    (json, key) AS json_names(json_at(json, key)),
    (json, key, inner_key) AS json_names(json_at(json, key, inner_key)),
    (json, key, inner_key, innermost) AS json_names(json_at(json, key, inner_key, innermost));
-- Pairs as structs `(key, value)`, each value as JSON.
CREATE MACRO JSONExtractKeysAndValuesRaw
    (json) AS list_transform(JSONExtractKeys(json), lambda one: {'key': one, 'value': JSONExtractRaw(json, one)}),
    (json, key) AS list_transform(JSONExtractKeys(json, key), lambda one: {'key': one, 'value': JSONExtractRaw(json, key, one)});

CREATE MACRO toString(value) AS CAST(value AS VARCHAR);
CREATE MACRO toFloat64OrNull(value) AS TRY_CAST(value AS DOUBLE);
CREATE MACRO toFloat64OrZero(value) AS coalesce(TRY_CAST(value AS DOUBLE), 0);
CREATE MACRO toFloat64(value) AS CAST(value AS DOUBLE);
-- A whole number: of a number what is before the point, of a string only if nothing else is in it.
CREATE MACRO int_of(value) AS
    CASE WHEN typeof(value) = 'VARCHAR' AND NOT regexp_full_match(CAST(value AS VARCHAR), '[+-]?[0-9]+') THEN NULL
         WHEN TRY_CAST(value AS DOUBLE) = trunc(TRY_CAST(value AS DOUBLE)) THEN TRY_CAST(value AS BIGINT)
         ELSE TRY_CAST(trunc(TRY_CAST(value AS DOUBLE)) AS BIGINT) END;
-- HogQL's, in place of an error null; and null where a part after the point would be lost.
CREATE MACRO toFloat(value) AS TRY_CAST(value AS DOUBLE);
CREATE MACRO toInt(value) AS
    CASE WHEN TRY_CAST(value AS DOUBLE) = trunc(TRY_CAST(value AS DOUBLE)) THEN int_of(value) END;
CREATE MACRO toInt64OrNull(value) AS int_of(value);
CREATE MACRO toInt64OrZero(value) AS coalesce(int_of(value), 0);
CREATE MACRO toInt64(value) AS
    CASE WHEN value IS NULL OR int_of(value) IS NOT NULL THEN int_of(value)
         ELSE error('toInt64: no whole number of 64 bits: ' || CAST(value AS VARCHAR)) END;
-- A number, and a string of 9 or 10 digits, are seconds since 1970. By way of text, as there is no cast from a number.
CREATE MACRO is_epoch(value) AS
    CASE typeof(value) WHEN 'VARCHAR' THEN regexp_full_match(CAST(value AS VARCHAR), '[0-9]{9,10}([.][0-9]*)?')
                       ELSE TRY_CAST(CAST(value AS VARCHAR) AS DOUBLE) IS NOT NULL END;
CREATE MACRO toDateTime(value) AS
    CASE WHEN is_epoch(value) THEN to_timestamp(TRY_CAST(CAST(value AS VARCHAR) AS DOUBLE))
         ELSE CAST(CAST(value AS VARCHAR) AS TIMESTAMPTZ) END;
CREATE MACRO parseDateTimeBestEffort(value) AS toDateTime(value);
CREATE MACRO parseDateTimeBestEffortOrNull(value) AS TRY(toDateTime(value));
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
