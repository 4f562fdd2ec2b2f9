-- Every event of the named traces, whole, trace after trace. $files: the Parquet files that can hold
-- them; $trace_ids: the traces.
SELECT uuid, event, timestamp, trace_id, span_id, parent_id, properties
FROM read_parquet($files, file_row_number = true)
WHERE trace_id IN (SELECT unnest($trace_ids))
  AND event IN (SELECT unnest($customer_events))
  AND NOT is_own
QUALIFY row_number() OVER (
    PARTITION BY uuid ORDER BY ingested_at DESC, ingest_id DESC, file_row_number DESC
) = 1
ORDER BY trace_id, timestamp, uuid
