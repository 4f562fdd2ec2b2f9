-- Items of one team: traces and generations, each with what it holds, cost and failed.
-- $files: Parquet files of the team's trace_events, all days, so that a trace that crosses midnight
-- is seen whole. $customer_events: kinds of event that make an item. An item belongs to the UTC day
-- of its first event.
WITH delivered AS (
    -- The same uuid delivered twice is one event: the latest ingested wins, then the latest row.
    SELECT uuid, event, distinct_id, timestamp, trace_id, model, input_tokens, output_tokens, cost_usd,
           latency_s, is_error, content_hash, date
    FROM read_parquet($files, file_row_number = true)
    WHERE NOT is_own
    QUALIFY row_number() OVER (
        PARTITION BY uuid ORDER BY ingested_at DESC, ingest_id DESC, file_row_number DESC
    ) = 1
),
customer AS (
    SELECT *,
        event IN ('$ai_generation', '$ai_embedding') AS is_call,
        timestamp + to_microseconds(CAST(round(coalesce(latency_s, 0) * 1e6) AS BIGINT)) AS ends_at,
        CASE WHEN distinct_id <> trace_id THEN distinct_id END AS person
    FROM delivered
    WHERE event IN (SELECT unnest($customer_events))
),
traces AS (
    SELECT
        'trace' AS level,
        trace_id AS item_id,
        trace_id,
        CAST(NULL AS VARCHAR) AS generation_id,
        min(timestamp) AS trace_timestamp,
        max(timestamp) AS last_event_at,
        max(date) AS last_date,
        count(*) AS event_count,
        sha256(string_agg(CAST(content_hash AS VARCHAR), ',' ORDER BY uuid)) AS content_hash,
        -- Cost of the calls; only where none of them has one, the trace event's own total: never both.
        coalesce(sum(cost_usd ORDER BY uuid) FILTER (is_call),
                 max(cost_usd) FILTER (event = '$ai_trace')) AS item_cost_usd,
        CASE WHEN count(latency_s) > 0 OR count(*) > 1
             THEN epoch_us(max(ends_at) - min(timestamp)) / 1e6 END AS item_latency_s,
        sum(latency_s ORDER BY uuid) FILTER (event = '$ai_generation') AS item_sum_generation_latency_s,
        CAST(sum(input_tokens) FILTER (is_call) AS BIGINT) AS item_input_tokens,
        CAST(sum(output_tokens) FILTER (is_call) AS BIGINT) AS item_output_tokens,
        count(*) FILTER (is_error) AS item_error_count,
        count(*) FILTER (event = '$ai_generation') AS item_generation_count,
        list_sort(coalesce(list(DISTINCT model) FILTER (model IS NOT NULL), [])) AS item_models,
        min(person) AS item_user
    FROM customer
    GROUP BY trace_id
),
generations AS (
    SELECT
        'generation' AS level,
        uuid AS item_id,
        trace_id,
        uuid AS generation_id,
        timestamp AS trace_timestamp,
        timestamp AS last_event_at,
        date AS last_date,
        1 AS event_count,
        sha256(CAST(content_hash AS VARCHAR)) AS content_hash,
        cost_usd AS item_cost_usd,
        latency_s AS item_latency_s,
        latency_s AS item_sum_generation_latency_s,
        input_tokens AS item_input_tokens,
        output_tokens AS item_output_tokens,
        CAST(is_error AS BIGINT) AS item_error_count,
        1 AS item_generation_count,
        CASE WHEN model IS NULL THEN [] ELSE [model] END AS item_models,
        person AS item_user
    FROM customer
    WHERE event = '$ai_generation'
)
SELECT *, CAST(trace_timestamp AS DATE) AS date
FROM (SELECT * FROM traces UNION ALL SELECT * FROM generations)
WHERE level IN (SELECT unnest($levels))
