-- One row a team and day that has events or results: how far it got, and where nothing is shown, why.
CREATE VIEW team_day_status AS
WITH event_days AS (
    -- Of numbers, which are counted faster than texts; two of a million are alike once in forty million such counts.
    SELECT team_id, date, count(DISTINCT hash(uuid)) AS events
    FROM trace_events
    WHERE event IN ('$ai_generation', '$ai_embedding', '$ai_span', '$ai_trace', '$ai_metric', '$ai_feedback', '$ai_evaluation')
      AND NOT is_own
    GROUP BY ALL
),
reasons AS (
    SELECT team_id, date, reason, count(*) AS items,
        count(*) FILTER (status = 'summarized') AS summarized,
        count(*) FILTER (status = 'failed') AS failed
    FROM trace_summaries GROUP BY ALL
),
summarized AS (
    SELECT team_id, date,
        CAST(sum(items) AS BIGINT) AS items,
        CAST(sum(items) FILTER (
            reason IS NULL OR reason NOT IN ('not_sampled', 'not_finished', 'job_disabled', 'not_in_any_job')
        ) AS BIGINT) AS sampled,
        CAST(sum(summarized) AS BIGINT) AS summarized,
        CAST(sum(failed) AS BIGINT) AS failed,
        CAST(sum(items) FILTER (reason = 'budget_exhausted') AS BIGINT) AS unpaid,
        CAST(sum(items) FILTER (reason = 'llm_error') AS BIGINT) AS unanswered,
        map_from_entries(list((reason, items) ORDER BY items DESC, reason) FILTER (reason IS NOT NULL)) AS skipped,
        arg_max(reason || ' (' || items || ')', (items, reason)) FILTER (reason IS NOT NULL) AS commonest
    FROM reasons GROUP BY ALL
),
spend AS (
    SELECT team_id, date, sum(cost_usd) AS llm_cost_usd, CAST(sum(calls) AS BIGINT) AS llm_calls,
           CAST(sum(calls_unpriced) AS BIGINT) AS llm_calls_unpriced,
           CAST(sum(input_tokens) AS BIGINT) AS llm_input_tokens, CAST(sum(output_tokens) AS BIGINT) AS llm_output_tokens
    FROM llm_spend GROUP BY ALL
),
reuse AS (
    SELECT team_id, date, CAST(sum(cache_hits) AS BIGINT) AS llm_cache_hits FROM llm_asset_runs GROUP BY ALL
),
batches AS (
    SELECT team_id, date, count(*) AS batched, min(submitted_at) AS batched_since
    FROM llm_batches WHERE status = 'submitted' GROUP BY ALL
),
embedded_levels AS (
    SELECT team_id, date, level, count(*) FILTER (status = 'embedded') AS embedded,
           count(*) FILTER (reason = 'budget_exhausted') AS unembedded
    FROM embeddings GROUP BY ALL
),
windows AS (
    -- The vectors of a day count in the window that ends with it and in those of the days after.
    SELECT team_id, date + CAST(later AS INTEGER) AS date, level, sum(embedded) AS window_items,
           sum(embedded) FILTER (later = 0) AS embedded, sum(unembedded) FILTER (later = 0) AS unembedded
    FROM embedded_levels, range((SELECT window_days FROM lake_settings)) AS days(later)
    GROUP BY ALL
),
embedded AS (
    SELECT team_id, date, CAST(sum(embedded) AS BIGINT) AS embedded, CAST(sum(unembedded) AS BIGINT) AS unembedded,
           -- Of the fuller level.
           CAST(max(window_items) AS BIGINT) AS window_items
    FROM windows GROUP BY ALL
),
clustered AS (
    SELECT team_id, date,
        CAST(sum(len(clusters)) AS BIGINT) AS clusters,
        CAST(sum(items_analyzed) AS BIGINT) AS analyzed,
        bool_and(coalesce(reason, '') = 'job_disabled') AS all_disabled,
        string_agg(if(job_id = '', level, job_name) || ': ' || reason || ' (' || items_in_window || ' of ' || min_items || ')',
                   '; ' ORDER BY level, job_id)
            FILTER (reason IS NOT NULL) AS refused
    FROM cluster_assignments GROUP BY ALL
),
emitted AS (
    SELECT team_id, date, count(*) AS emitted FROM cluster_events GROUP BY ALL
),
parts AS (
    -- One under another instead of joined: a condition on team or day reaches the files of each, and none is read twice.
    FROM event_days
    UNION ALL BY NAME FROM summarized
    UNION ALL BY NAME FROM spend
    UNION ALL BY NAME FROM reuse
    UNION ALL BY NAME FROM batches
    UNION ALL BY NAME FROM embedded
    UNION ALL BY NAME FROM clustered
    UNION ALL BY NAME FROM emitted
),
days AS (
    -- Each column comes from one part only.
    SELECT team_id, date, any_value(COLUMNS(* EXCLUDE (team_id, date)))
    FROM parts
    GROUP BY team_id, date
    HAVING any_value(events) > 0 OR any_value(items) > 0 OR any_value(all_disabled) IS NOT NULL
),
joined AS (
    SELECT
        team_id, date,
        coalesce(events, 0) AS events,
        coalesce(items, 0) AS items,
        coalesce(sampled, 0) AS sampled,
        coalesce(summarized, 0) AS summarized,
        coalesce(skipped, MAP {}) AS skipped,
        coalesce(failed, 0) AS failed,
        coalesce(embedded, 0) AS embedded,
        coalesce(window_items, 0) AS window_items,
        coalesce(clusters, 0) AS clusters,
        coalesce(emitted, 0) AS emitted,
        coalesce(unpaid, 0) + coalesce(unembedded, 0) + coalesce(unanswered, 0) AS left_for_later,
        coalesce(llm_cost_usd, 0) AS llm_cost_usd,
        coalesce(llm_calls, 0) AS llm_calls,
        coalesce(llm_calls_unpriced, 0) AS llm_calls_unpriced,
        coalesce(llm_input_tokens, 0) AS llm_input_tokens,
        coalesce(llm_output_tokens, 0) AS llm_output_tokens,
        coalesce(llm_cache_hits, 0) AS llm_cache_hits,
        CASE WHEN batched > 0
             THEN 'waiting for batch (' || batched || ' items since ' || strftime(batched_since, '%Y-%m-%d %H:%M') || ')'
        END AS batch,
        CASE WHEN unpaid > 0 THEN 'budget_exhausted (' || unpaid || ' of ' || sampled || ')'
             WHEN unembedded > 0 THEN 'budget_exhausted (' || unembedded || ' of ' || summarized || ' vectors)'
        END AS budget,
        items IS NULL AS never_summarized,
        analyzed IS NULL AS never_clustered,
        analyzed, refused, coalesce(all_disabled, false) AS all_disabled, commonest,
        coalesce((SELECT min_items FROM lake_team_minimum AS own WHERE own.team_id = days.team_id),
                 (SELECT min_items FROM lake_settings)) AS min_items
    FROM days
)
SELECT
    team_id, date, events, items, sampled, summarized, skipped, failed, embedded, window_items, clusters, emitted,
    left_for_later > 0 AS is_partial,
    llm_cost_usd, llm_calls, llm_calls_unpriced, llm_input_tokens, llm_output_tokens, llm_cache_hits,
    CASE
        WHEN emitted > 0 THEN 'shown'
        WHEN events = 0 THEN 'nothing'
        WHEN never_summarized OR batch IS NOT NULL THEN 'waiting'
        WHEN items > 0 AND summarized = 0 THEN 'nothing'
        WHEN embedded < summarized AND embedded = 0 THEN 'waiting'
        WHEN window_items < min_items OR analyzed = 0 OR all_disabled THEN 'nothing'
        ELSE 'waiting'
    END AS status,
    CASE
        WHEN emitted > 0 THEN nullif(concat_ws('; ', CASE WHEN clusters = 0 THEN 'all_noise' END, refused, budget, batch), '')
        WHEN batch IS NOT NULL THEN batch
        WHEN events = 0 THEN 'no_items'
        WHEN never_summarized THEN 'not summarized yet'
        WHEN items > 0 AND summarized = 0 THEN coalesce(commonest, 'no_items')
        WHEN embedded = 0 AND summarized > 0 THEN coalesce(budget, 'not embedded yet')
        WHEN all_disabled THEN 'job_disabled'
        WHEN window_items < min_items THEN 'too_few_items (' || window_items || ' of ' || min_items || ')'
        WHEN analyzed = 0 THEN refused
        WHEN never_clustered THEN 'not clustered yet'
        ELSE 'not emitted yet'
    END AS reason
FROM joined;
