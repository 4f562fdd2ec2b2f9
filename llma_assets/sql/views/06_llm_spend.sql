-- What the pipeline's own LLM calls took, for each team, day, asset and model. The day is the partition's,
-- not the day of the call. A call whose price is not known counts in calls_unpriced, never as 0; cost_usd is
-- null where no price is known. A call that failed before the server counted anything costs nothing.
CREATE VIEW llm_spend AS
SELECT
    team_id, date, asset, model, provider, is_batch,
    count(*) AS calls,
    count(*) FILTER (is_error) AS calls_failed,
    count(*) FILTER (cost_usd IS NULL AND NOT (is_error AND input_tokens IS NULL)) AS calls_unpriced,
    CAST(sum(attempts) AS BIGINT) AS attempts,
    CAST(sum(input_tokens) AS BIGINT) AS input_tokens,
    CAST(sum(cached_input_tokens) AS BIGINT) AS cached_input_tokens,
    CAST(sum(output_tokens) AS BIGINT) AS output_tokens,
    sum(cost_usd) AS cost_usd,
    avg(latency_s) AS avg_latency_s
FROM llm_calls
WHERE event IN ('$ai_generation', '$ai_embedding')
GROUP BY ALL;

-- The latest work of each asset on each partition that could call an LLM: how it ended, what was reused, what it took.
CREATE VIEW llm_asset_runs AS
SELECT
    team_id, date, asset, clustering_job, dagster_run_id, trace_id, called_at AS started_at, latency_s, outcome,
    items, cache_hits, calls, calls_failed, calls_unpriced, attempts,
    input_tokens, cached_input_tokens, output_tokens, cost_usd, figures
FROM llm_calls
WHERE event = '$ai_trace'
QUALIFY row_number() OVER (
    PARTITION BY team_id, date, asset, clustering_job ORDER BY called_at DESC, uuid
) = 1;
