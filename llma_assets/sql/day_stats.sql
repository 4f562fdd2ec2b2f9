-- One row a day: how many items it has, how many of them are finished, and a version that changes
-- exactly when the finished ones change. $quiet_since: an item silent since then is finished.
SELECT
    date,
    count(*) FILTER (level = 'trace') AS traces,
    count(*) FILTER (level = 'generation') AS generations,
    count(*) FILTER (last_event_at <= $quiet_since) AS finished,
    coalesce(sha256(string_agg(level || content_hash, ',' ORDER BY level, item_id)
                    FILTER (last_event_at <= $quiet_since)), '') AS source_version
FROM items
GROUP BY date
ORDER BY date
