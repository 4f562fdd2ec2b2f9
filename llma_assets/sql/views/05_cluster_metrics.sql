-- One row a cluster: what its items cost, took and failed. Averages count items that have the value;
-- error_count counts items with at least one error.
CREATE VIEW cluster_metrics AS
SELECT
    team_id, run_date AS date, clustering_run_id, level, cluster_id,
    count(*) AS item_count,
    avg(item_cost_usd) AS avg_cost,
    sum(item_cost_usd) AS total_cost,
    avg(item_latency_s) AS avg_latency,
    avg(coalesce(item_input_tokens, 0) + coalesce(item_output_tokens, 0))
        FILTER (item_input_tokens IS NOT NULL OR item_output_tokens IS NOT NULL) AS avg_tokens,
    count(*) FILTER (item_error_count > 0) AS error_count,
    count(*) FILTER (item_error_count > 0) / count(*) AS error_rate
FROM cluster_items
GROUP BY ALL;
