// What a run says at a glance: its size, its totals, and one cluster for each question that is asked first.

function runHeading(run) {
  const clusters = run.clusters.filter((cluster) => !isNoise(cluster)).length;
  const nouns = run.level === "generation" ? "generations" : "traces";
  const themes = run.grouped ? `in ${plural(run.themes.length, "theme")}` : null;
  const sampled =
    run.items_analyzed < run.items_in_window
      ? `${formatInteger(run.items_analyzed)} of ${formatInteger(run.items_in_window)}`
      : formatInteger(run.items_analyzed);
  return h(
    "div",
    { class: "hero-words" },
    h(
      "h1",
      {},
      [`${sampled} ${nouns},`, plural(clusters, "cluster"), themes]
        .filter(Boolean)
        .map((part, place) => [place ? " " : "", h("span", { class: "nowrap" }, part)]),
    ),
    h("p", { class: "hero-facts" }, `${formatWindow(run)} (UTC)  ·  ${run.job_name}`),
    (run.warnings ?? []).map((warning) =>
      h("p", { class: "warning", role: "note" }, h("strong", {}, "Note: "), warning),
    ),
  );
}

function tiles(run) {
  const { metrics } = run;
  const noise = run.clusters.find(isNoise);
  return h(
    "dl",
    { class: "tiles" },
    fact(
      "Cost",
      formatMoney(metrics.total_cost),
      missing(metrics.avg_cost) ? "not known" : `${formatMoney(metrics.avg_cost)} each`,
    ),
    fact(
      "Latency",
      formatSeconds(metrics.avg_latency),
      missing(metrics.p95_latency) ? "not known" : `p95 ${formatSeconds(metrics.p95_latency)}`,
    ),
    fact(
      "With errors",
      formatShare(metrics.error_rate),
      missing(metrics.error_count) ? "not known" : plural(metrics.error_count, itemNoun(run)),
    ),
    fact("Tokens each", formatCompact(metrics.avg_tokens), plural(run.models.length, "model")),
    fact("Users", formatInteger(run.users), "distinct"),
    fact("Outliers", formatInteger(noise?.size ?? 0), formatShare((noise?.size ?? 0) / Math.max(1, run.count))),
  );
}

/** What an analyst asks first, answered by one cluster each. */
function answers(run) {
  const clusters = run.clusters.filter((cluster) => !isNoise(cluster));
  if (!clusters.length) return null;
  const top = (value) =>
    clusters.filter((cluster) => value(cluster) > 0).sort((one, other) => value(other) - value(one))[0];
  const common = top((cluster) => cluster.size);
  const dear = top((cluster) => cluster.metrics.total_cost);
  // One item with an error among five is chance: two are asked for.
  const failing = top((cluster) => (cluster.metrics.error_count >= 2 ? cluster.metrics.error_rate : 0));
  const fresh = top((cluster) => (cluster.change === "born" && run.earlier_run_id ? cluster.size : 0));
  const grown = top((cluster) => (cluster.badges?.includes("grown") ? (growth(run, cluster) ?? 0) : 0));
  const answer = (question, cluster, words, otherwise) =>
    h(
      "li",
      { class: "answer" },
      h("span", { class: "answer-question" }, question),
      cluster
        ? link({ view: "cluster", id: String(cluster.cluster_id) }, "answer-title", clusterTitle(cluster))
        : h("span", { class: "answer-none" }, otherwise),
      cluster && h("span", { class: "answer-words" }, words(cluster)),
    );
  const lift = (cluster, key) =>
    liftWords(cluster.metrics.lift?.[key]) ? `, ${liftWords(cluster.metrics.lift[key])}` : "";
  return h(
    "ul",
    { class: "answers", "aria-label": "At a glance" },
    answer(
      "Most common",
      common,
      (cluster) => `${plural(cluster.size, itemNoun(run))}, ${formatShare(cluster.share)} of all`,
      NONE,
    ),
    answer(
      "Costs most",
      dear,
      (cluster) =>
        `${formatMoney(cluster.metrics.total_cost)} in all; each ${formatMoney(cluster.metrics.avg_cost)}${lift(cluster, "avg_cost")}`,
      "No cost is known",
    ),
    answer(
      "Fails most",
      failing,
      (cluster) => `${formatShare(cluster.metrics.error_rate)} with errors${lift(cluster, "error_rate")}`,
      "No cluster has two items with errors",
    ),
    fresh
      ? answer(
          "New",
          fresh,
          (cluster) =>
            `${plural(cluster.size, itemNoun(run))}, first seen ${formatDay(cluster.first_seen ?? REPORT.date)}`,
        )
      : answer(
          "Grown",
          grown,
          (cluster) => `from ${formatShare(before(run, cluster).share)} to ${formatShare(cluster.share)} of all`,
          run.earlier_run_id ? "Nothing new, nothing much larger" : "There is no earlier run to compare with",
        ),
  );
}

function mapWords(run) {
  const largest = sortClusters(
    run,
    run.clusters.filter((cluster) => !isNoise(cluster)),
    "size",
  ).slice(0, 5);
  return `Map of ${plural(run.count, itemNoun(run))}. Largest clusters: ${largest.map((cluster) => `${clusterTitle(cluster)} (${cluster.size})`).join(", ")}. The list of clusters holds all of it.`;
}
