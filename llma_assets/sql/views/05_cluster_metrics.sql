-- What the items of a group took, for the clusters as they are now: of each run its clusters, its themes, the whole.
-- Averages count items that have the value; error_count counts items with at least one error; `lift` holds the figures
-- over those of all other items of the run. Rows from before a run was replaced are not shown.
CREATE VIEW all_metrics AS
SELECT
    team_id, date, clustering_run_id, level, kind, cluster_id, theme_id,
    item_count, avg_cost, total_cost, avg_latency, avg_tokens, error_count, error_rate,
    p50_latency, p95_latency, total_tokens, avg_generations, cost_per_million_tokens, distinct_users,
    models, tools, lift
FROM cluster_metrics_rows
SEMI JOIN cluster_assignments USING (team_id, date, clustering_run_id, content_hash);

-- One row a cluster, noise (-1) included.
CREATE VIEW cluster_metrics AS
SELECT * EXCLUDE (kind) FROM all_metrics WHERE kind = 'cluster';

-- One row a theme.
CREATE VIEW theme_metrics AS
SELECT * EXCLUDE (kind, cluster_id) FROM all_metrics WHERE kind = 'theme';

-- One row a clustering run. It is the whole, so there is no rest and no lift.
CREATE VIEW run_metrics AS
SELECT * EXCLUDE (kind, cluster_id, theme_id, lift) FROM all_metrics WHERE kind = 'run';
