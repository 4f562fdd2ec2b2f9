-- The cluster of each of some items in the newest clustering run that looked at it. No window is longer than 90 days.
WITH found AS (
    SELECT unnest($teams) AS team_id, unnest($item_ids) AS item_id
),
placed AS (
    SELECT team_id, clustering_run_id, date AS run_date, unnest(items) AS item
    FROM cluster_assignments
    WHERE level = $level AND date >= $first AND date <= $last + 90 AND team_id IN (SELECT team_id FROM found)
)
SELECT
    placed.team_id, placed.item.item_id AS item_id, placed.clustering_run_id, placed.item.cluster_id AS cluster_id,
    clusters.title AS cluster_title
FROM placed
JOIN found ON found.team_id = placed.team_id AND found.item_id = placed.item.item_id
LEFT JOIN clusters
    ON clusters.team_id = placed.team_id AND clusters.clustering_run_id = placed.clustering_run_id
    AND clusters.cluster_id = placed.item.cluster_id
QUALIFY row_number() OVER (
    PARTITION BY placed.team_id, placed.item.item_id ORDER BY run_date DESC, placed.clustering_run_id
) = 1
