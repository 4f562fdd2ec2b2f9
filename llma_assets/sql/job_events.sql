-- Where the events are that the filters of clustering jobs are asked about: the customer's events of every trace that
-- has an item on a day from $first to $last. Reads narrow columns only; needs the relation `items`.
-- $files: every file of the team, so that a delivery is judged among all deliveries of its uuid, as in items.sql.
SELECT uuid, date, ingest_id, file_row_number
FROM (
    SELECT uuid, event, trace_id, date, ingest_id, file_row_number
    FROM read_parquet($files, file_row_number = true)
    WHERE NOT is_own
    QUALIFY row_number() OVER (
        PARTITION BY uuid ORDER BY ingested_at DESC, ingest_id DESC, file_row_number DESC
    ) = 1
)
WHERE event IN (SELECT unnest($customer_events))
  AND trace_id IN (SELECT trace_id FROM items WHERE date BETWEEN $first AND $last)
