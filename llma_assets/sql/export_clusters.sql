-- The clusters that rows of an export may name, made once for all of them.
CREATE OR REPLACE TEMP TABLE export_clusters AS
SELECT
    named.clustering_run_id, named.cluster_id, named.title AS cluster_title, named.size AS cluster_size,
    named.theme_id, named.theme_title, lineage.lineage_id
FROM clusters AS named
LEFT JOIN cluster_lineages AS lineage
    ON lineage.team_id = named.team_id AND lineage.clustering_run_id = named.clustering_run_id
    AND lineage.cluster_id = named.cluster_id
WHERE named.team_id = $team AND named.level = $level AND named.date BETWEEN $first AND $last
