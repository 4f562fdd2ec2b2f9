-- One row a clustering run: what it looked at, what came out, and where nothing did, why.
CREATE VIEW runs AS
SELECT
    team_id, date, clustering_run_id, level, job_name, window_start, window_end, status, reason,
    items_in_window, items_analyzed, items_clustered, items_noise, noise_share,
    len(clusters) AS cluster_count,
    method, params, seed, algorithm_version, embedding_model, silhouette, relative_validity, optimal_k, inertia,
    guard_path, min_items, job_id,
    items_learned, items_borderline, raw_noise_share, largest_share, diversity, layout_silhouette, mean_persistence,
    stability, themes, theme_stability, ladder, job_filters
FROM cluster_assignments;
