-- The items of one clustering run, cluster by cluster, noise last.
WITH placed AS (
    SELECT team_id, date AS run_date, level, clustering_run_id, unnest(items) AS item
    FROM cluster_assignments
    WHERE team_id = $team AND date = $day AND clustering_run_id = $run
)
SELECT
    placed.team_id, placed.level, item.item_id AS item_id, item.trace_id AS trace_id,
    item.generation_id AS generation_id, item.trace_timestamp AS trace_timestamp, summary.status, summary.reason,
    CASE WHEN $with_texts THEN summary.title END AS title,
    CASE WHEN $with_texts THEN
        array_to_string([note.text FOR note IN summary.summary_bullets || summary.interesting_notes], chr(10))
    END AS summary,
    placed.clustering_run_id, placed.run_date, item.cluster_id AS cluster_id, cluster_title, cluster_size, theme_id,
    theme_title, lineage_id, item.rank AS rank, item.distance_to_centroid AS distance_to_centroid,
    item.raw_noise AND item.cluster_id <> -1 AS is_borderline,
    summary.item_cost_usd AS cost_usd, summary.item_latency_s AS latency_s,
    summary.item_input_tokens AS input_tokens, summary.item_output_tokens AS output_tokens,
    summary.item_error_count AS error_count, CASE WHEN $with_texts THEN array_to_string(summary.item_models, ', ') END AS models,
    CASE WHEN $with_texts THEN array_to_string(summary.item_tools, ', ') END AS tools
FROM placed
LEFT JOIN export_clusters AS named
    ON named.clustering_run_id = placed.clustering_run_id AND named.cluster_id = item.cluster_id
LEFT JOIN trace_summaries AS summary
    ON summary.team_id = $team AND summary.date BETWEEN $first AND $last
    AND summary.date = CAST(item.trace_timestamp AT TIME ZONE 'UTC' AS DATE)
    AND summary.level = placed.level AND summary.item_id = item.item_id
WHERE $cluster IS NULL OR item.cluster_id = $cluster
ORDER BY item.cluster_id = -1, item.cluster_id, item.rank, item.item_id
