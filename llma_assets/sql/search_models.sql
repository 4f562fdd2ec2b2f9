-- Whose vectors there are to search, newest first.
SELECT model, dim, count(*) AS items, max(date) AS newest_date
FROM embeddings
WHERE status = 'embedded' AND level = $level AND ($team IS NULL OR team_id = $team) AND date BETWEEN $first AND $last
GROUP BY ALL
ORDER BY newest_date DESC, items DESC, model
