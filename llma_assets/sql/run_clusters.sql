-- The clusters of one clustering run with what their items cost, took and failed; the largest first, noise last.
SELECT clusters.*, metrics.avg_cost, metrics.total_cost, metrics.avg_latency, metrics.avg_tokens,
       metrics.error_count, metrics.error_rate
FROM clusters LEFT JOIN cluster_metrics AS metrics USING (team_id, clustering_run_id, cluster_id)
WHERE clustering_run_id = $run ORDER BY cluster_id = -1, size DESC, cluster_id
