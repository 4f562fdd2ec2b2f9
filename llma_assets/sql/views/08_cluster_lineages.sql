-- Edges of the clusters as they are now: a run that was replaced since its edges were made has none. `is_followed` is
-- false where the run before was replaced since.
CREATE VIEW cluster_edges AS
WITH present AS NOT MATERIALIZED (
    SELECT team_id, date, clustering_run_id, content_hash FROM cluster_assignments
)
SELECT edge.*, edge.earlier_date IS NULL OR earlier.date IS NOT NULL AS is_followed
FROM cluster_lineage AS edge
JOIN present AS later
    ON later.team_id = edge.team_id AND later.date = edge.date
    AND later.clustering_run_id = edge.clustering_run_id AND later.content_hash = edge.content_hash
LEFT JOIN present AS earlier
    ON earlier.team_id = edge.team_id AND earlier.date = edge.earlier_date
    AND earlier.clustering_run_id = edge.earlier_clustering_run_id
    AND earlier.content_hash = edge.earlier_content_hash;

-- One row an edge between a cluster and one of the run before, with the names of both.
CREATE VIEW cluster_changes AS
WITH names AS NOT MATERIALIZED (
    SELECT team_id, date, clustering_run_id, content_hash, cluster_id, title, name_reason FROM cluster_labels
)
SELECT
    edge.team_id, edge.date, edge.level, edge.clustering_run_id, edge.change, edge.cluster_id, later.title, edge.size,
    edge.earlier_date, edge.earlier_clustering_run_id, edge.earlier_cluster_id, earlier.title AS earlier_title,
    edge.earlier_size, edge.basis, edge.shared_items, edge.jaccard, edge.share, edge.earlier_share,
    edge.centroid_cosine, edge.reason, later.name_reason
FROM cluster_edges AS edge
LEFT JOIN names AS later
    ON later.team_id = edge.team_id AND later.date = edge.date
    AND later.clustering_run_id = edge.clustering_run_id AND later.content_hash = edge.content_hash
    AND later.cluster_id = edge.cluster_id
LEFT JOIN names AS earlier
    ON earlier.team_id = edge.team_id AND earlier.date = edge.earlier_date
    AND earlier.clustering_run_id = edge.earlier_clustering_run_id
    AND earlier.content_hash = edge.earlier_content_hash AND earlier.cluster_id = edge.earlier_cluster_id
WHERE edge.is_followed;

-- One row a cluster of a clustering run: the lineage that it belongs to, named after the first run and cluster of it
-- (`lineage.identity.lineage_id` says the same), and since when. Only what was kept is followed.
CREATE VIEW cluster_lineages AS
WITH RECURSIVE edges AS MATERIALIZED (
    SELECT * FROM cluster_edges
),
kept AS MATERIALIZED (
    SELECT team_id, clustering_run_id, cluster_id, date, level, earlier_clustering_run_id, earlier_cluster_id
    FROM edges WHERE change = 'kept' AND is_followed
),
-- Runs from before there was a lineage are known by the edges that lead to them.
nodes AS (
    SELECT DISTINCT team_id, clustering_run_id, cluster_id, date, level FROM edges WHERE cluster_id IS NOT NULL
    UNION
    SELECT DISTINCT team_id, earlier_clustering_run_id, earlier_cluster_id, earlier_date, level
    FROM edges WHERE change = 'kept' AND is_followed
),
chain AS (
    SELECT
        team_id, clustering_run_id, cluster_id, date, level,
        clustering_run_id || '/' || cluster_id AS lineage_id, date AS first_seen, 1 AS runs_seen
    FROM nodes
    ANTI JOIN kept USING (team_id, clustering_run_id, cluster_id)
    UNION ALL
    SELECT
        kept.team_id, kept.clustering_run_id, kept.cluster_id, kept.date, kept.level,
        chain.lineage_id, chain.first_seen, chain.runs_seen + 1
    FROM chain
    JOIN kept
        ON kept.team_id = chain.team_id AND kept.earlier_clustering_run_id = chain.clustering_run_id
        AND kept.earlier_cluster_id = chain.cluster_id
)
SELECT
    team_id, date, level, clustering_run_id, cluster_id, lineage_id, first_seen,
    date - first_seen + 1 AS days_seen, runs_seen
FROM chain;
