-- One row a cluster of a clustering run, noise included, with its name and who named it.
CREATE VIEW clusters AS
WITH shapes AS (
    SELECT clustering_run_id, team_id, unnest(clusters) AS shape
    FROM cluster_assignments
)
SELECT
    label.team_id, label.date, label.clustering_run_id, label.level, label.cluster_id, label.size,
    label.title, label.description, label.source AS label_source, label.keywords,
    label.size / run.items_analyzed AS share,
    shape.centroid_x, shape.centroid_y, shape.persistence, shape.silhouette, shape.exemplars,
    label.name_reason, label.previous_title, label.named_date,
    label.theme_id, label.theme_title, coalesce(label.is_suppressed, false) AS is_suppressed
FROM cluster_labels AS label
JOIN cluster_assignments AS run
    ON run.team_id = label.team_id AND run.date = label.date AND run.clustering_run_id = label.clustering_run_id
    -- Names of other clusters than the present ones are not shown.
    AND run.content_hash = label.content_hash
LEFT JOIN shapes
    ON shapes.team_id = label.team_id
    AND shapes.clustering_run_id = label.clustering_run_id
    AND shapes.shape.cluster_id = label.cluster_id;
