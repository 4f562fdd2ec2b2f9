-- Items by the cosine of their vector and the question's. DIM is the length of both: a type takes no bound value.
WITH nearest AS MATERIALIZED (
    SELECT
        team_id, date, level, item_id, trace_timestamp,
        array_cosine_similarity(CAST(embedding AS FLOAT[DIM]), CAST($vector AS FLOAT[DIM])) AS similarity
    FROM embeddings
    WHERE status = 'embedded' AND level = $level AND model = $model AND dim = $dim
      AND ($team IS NULL OR team_id = $team) AND date BETWEEN $first AND $last
    ORDER BY similarity DESC, team_id, item_id
    LIMIT $limit
)
SELECT nearest.*, summary.title
FROM nearest
LEFT JOIN trace_summaries AS summary
    ON summary.team_id = nearest.team_id AND summary.date = nearest.date
    AND summary.level = nearest.level AND summary.item_id = nearest.item_id
ORDER BY similarity DESC, nearest.team_id, nearest.item_id
