-- Every event of the named traces, whole, trace after trace.
-- $all_files: every file of the team, so that a delivery is judged among all deliveries of its uuid, as
-- in items.sql; only narrow columns of them are read. $files: those that can hold the traces' events.
WITH delivered AS (
    SELECT uuid, trace_id, event, is_own, date, ingest_id, file_row_number
    FROM read_parquet($all_files, file_row_number = true)
    WHERE NOT is_own
    QUALIFY row_number() OVER (
        PARTITION BY uuid ORDER BY ingested_at DESC, ingest_id DESC, file_row_number DESC
    ) = 1
),
wanted AS (
    SELECT uuid, date, ingest_id, file_row_number
    FROM delivered
    WHERE trace_id IN (SELECT unnest($trace_ids)) AND event IN (SELECT unnest($customer_events))
)
SELECT uuid, event, timestamp, trace_id, span_id, parent_id, properties
FROM read_parquet($files, file_row_number = true)
SEMI JOIN wanted USING (uuid, date, ingest_id, file_row_number)
ORDER BY trace_id, timestamp, uuid
