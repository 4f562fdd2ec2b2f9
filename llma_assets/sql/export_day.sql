-- The items of one day, each with its cluster in the newest clustering run that looked at it.
WITH placed AS (
    SELECT date AS run_date, clustering_run_id, unnest(items) AS item
    FROM cluster_assignments
    -- No window is longer than 90 days.
    WHERE team_id = $team AND level = $level AND date BETWEEN $day AND $day + 90
      AND CAST(window_start AT TIME ZONE 'UTC' AS DATE) <= $day
),
newest AS (
    SELECT run_date, clustering_run_id, item
    FROM placed
    WHERE CAST(item.trace_timestamp AT TIME ZONE 'UTC' AS DATE) = $day
    QUALIFY row_number() OVER (PARTITION BY item.item_id ORDER BY run_date DESC, clustering_run_id) = 1
)
SELECT
    summary.team_id, summary.level, summary.item_id, summary.trace_id, summary.generation_id, summary.trace_timestamp,
    summary.status, summary.reason,
    CASE WHEN $with_texts THEN summary.title END AS title,
    CASE WHEN $with_texts THEN
        array_to_string([note.text FOR note IN summary.summary_bullets || summary.interesting_notes], chr(10))
    END AS summary,
    newest.clustering_run_id, newest.run_date, item.cluster_id AS cluster_id, cluster_title, cluster_size, theme_id,
    theme_title, lineage_id, item.rank AS rank, item.distance_to_centroid AS distance_to_centroid,
    item.raw_noise AND item.cluster_id <> -1 AS is_borderline,
    summary.item_cost_usd AS cost_usd, summary.item_latency_s AS latency_s,
    summary.item_input_tokens AS input_tokens, summary.item_output_tokens AS output_tokens,
    summary.item_error_count AS error_count, CASE WHEN $with_texts THEN array_to_string(summary.item_models, ', ') END AS models,
    CASE WHEN $with_texts THEN array_to_string(summary.item_tools, ', ') END AS tools
FROM trace_summaries AS summary
LEFT JOIN newest ON newest.item.item_id = summary.item_id
LEFT JOIN export_clusters AS named
    ON named.clustering_run_id = newest.clustering_run_id AND named.cluster_id = newest.item.cluster_id
WHERE summary.team_id = $team AND summary.date = $day AND summary.level = $level
ORDER BY summary.trace_timestamp, summary.item_id
