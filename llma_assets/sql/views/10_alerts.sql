-- One row a finding and day: what somebody should be told, and what became of telling it. A finding that lasts is on
-- every day under one alert_id. `delivery` is null where it was never sent.
CREATE VIEW alerts AS
SELECT
    alert.team_id, alert.date, alert.kind, alert.level, alert.text, alert.title, alert.since, alert.subject,
    alert.clustering_run_id, alert.cluster_id, alert.lineage_id, alert.figures, alert.alert_id,
    delivery.status AS delivery, delivery.attempts, delivery.status_code, delivery.error, delivery.delivered_at
FROM cluster_alerts AS alert
LEFT JOIN alert_deliveries AS delivery
    ON delivery.team_id = alert.team_id AND delivery.date = alert.since AND delivery.alert_id = alert.alert_id;
