-- One row a theme of a clustering run: a group of its clusters, or one cluster that stands for itself. Noise is in none.
CREATE VIEW themes AS
SELECT
    label.team_id, label.date, label.clustering_run_id, label.level, label.theme_id,
    any_value(label.theme_title) AS title, any_value(label.theme_description) AS description,
    count(*) AS clusters, CAST(sum(label.size) AS BIGINT) AS items,
    sum(label.size) / any_value(run.items_analyzed) AS share,
    list(label.title ORDER BY label.size DESC, label.cluster_id)[:5] AS top_clusters,
    any_value(label.theme_naming.source) AS label_source, any_value(label.theme_naming.named_date) AS named_date
FROM cluster_labels AS label
JOIN cluster_assignments AS run
    ON run.team_id = label.team_id AND run.date = label.date AND run.clustering_run_id = label.clustering_run_id
    AND run.content_hash = label.content_hash
WHERE label.theme_id IS NOT NULL
GROUP BY label.team_id, label.date, label.clustering_run_id, label.level, label.theme_id;
