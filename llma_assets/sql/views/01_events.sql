-- Everything a team has, in one shape: what was ingested (each uuid once, the latest delivery), the
-- summaries and the clusters that we emit. Columns: uuid, event, team_id, distinct_id, timestamp, properties (JSON).
CREATE VIEW events AS
WITH latest AS (
    -- Found among narrow columns: to sort whole events takes ten times as long.
    SELECT team_id, date, ingest_id, file_row_number
    FROM trace_events
    QUALIFY row_number() OVER (
        PARTITION BY team_id, uuid ORDER BY ingested_at DESC, ingest_id DESC, file_row_number DESC
    ) = 1
),
ours AS (
    SELECT team_id, event_uuid AS uuid, true AS is_ours FROM trace_summaries WHERE status = 'summarized'
    UNION ALL SELECT team_id, uuid, true FROM cluster_events
)
SELECT uuid, event, team_id, distinct_id, timestamp, properties
FROM trace_events
JOIN latest USING (team_id, date, ingest_id, file_row_number)
LEFT JOIN ours USING (team_id, uuid)
-- What we emitted and somebody ingested again is shown once, as ours.
WHERE is_ours IS NULL
UNION ALL
SELECT
    event_uuid,
    '$ai_' || level || '_summary',
    team_id,
    level || '_summary_' || team_id,
    trace_timestamp,
    to_json({
        '$ai_trace_id': trace_id,
        '$ai_generation_id': generation_id,
        '$ai_batch_run_id': batch_run_id,
        '$ai_summary_mode': mode,
        '$ai_summary_title': title,
        '$ai_summary_flow_diagram': flow_diagram,
        '$ai_summary_bullets': summary_bullets,
        '$ai_summary_interesting_notes': interesting_notes,
        '$ai_text_repr_length': text_repr_length,
        '$ai_event_count': event_count,
        'trace_timestamp': strftime(trace_timestamp AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ')
    })
FROM trace_summaries
WHERE status = 'summarized'
UNION ALL
SELECT uuid, event, team_id, distinct_id, timestamp, properties
FROM cluster_events;
