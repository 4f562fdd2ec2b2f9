-- One row an item of a clustering run, with its cluster, its place and what it cost.
-- cluster_id -1 is noise; rank 0 is nearest to the centroid, for noise the most anomalous. raw_noise is what the method
-- left out; is_borderline, what of that was given to a cluster all the same.
CREATE VIEW cluster_items AS
WITH items AS (
    SELECT team_id, date AS run_date, clustering_run_id, level, unnest(items) AS item
    FROM cluster_assignments
)
SELECT
    items.team_id, items.run_date, items.clustering_run_id, items.level,
    item.cluster_id, item.rank, item.item_id, item.trace_id, item.generation_id, item.trace_timestamp,
    item.distance_to_centroid, item.probability, item.outlier_score, item.x, item.y,
    summary.title, summary.item_cost_usd, summary.item_latency_s, summary.item_input_tokens,
    summary.item_output_tokens, summary.item_error_count, summary.item_user, summary.item_models,
    item.is_learned, item.raw_noise, item.raw_noise AND item.cluster_id <> -1 AS is_borderline
FROM items
LEFT JOIN trace_summaries AS summary
    ON summary.team_id = items.team_id
    AND summary.date = CAST(item.trace_timestamp AT TIME ZONE 'UTC' AS DATE)
    AND summary.level = items.level
    AND summary.item_id = item.item_id;
