-- One row a team with events or results: its days, items, and newest clustering run.
SELECT status.team_id, min(status.date) AS first_day, max(status.date) AS last_day, count(*) AS days,
       sum(events)::BIGINT AS events, sum(items)::BIGINT AS items,
       (SELECT max_by(clustering_run_id, (date, level, -length(clustering_run_id))) FROM runs
        WHERE runs.team_id = status.team_id AND status = 'clustered') AS newest_run
FROM team_day_status AS status GROUP BY ALL ORDER BY ALL
