// The clusters as cards, by theme or all together, in the order that answers the question asked.

const SORTS = {
  size: ["Largest", (run, cluster) => cluster.size],
  total_cost: ["Most expensive in all", (run, cluster) => cluster.metrics.total_cost],
  avg_cost: ["Most expensive each", (run, cluster) => cluster.metrics.avg_cost],
  avg_latency: ["Slowest", (run, cluster) => cluster.metrics.avg_latency],
  error_rate: ["Most errors", (run, cluster) => cluster.metrics.error_rate],
  newest: ["Newest", (run, cluster) => (cluster.first_seen ? Date.parse(cluster.first_seen) : null)],
  growth: [
    "Grown most",
    (run, cluster) => (cluster.change === "born" && run.earlier_run_id ? Infinity : growth(run, cluster)),
  ],
};

/** Clusters in the order asked for; those without the figure after those with, outliers last. */
function sortClusters(run, clusters, sort) {
  const [, value] = SORTS[sort] ?? SORTS.size;
  const key = (cluster) => {
    if (isNoise(cluster)) return -Infinity;
    const figure = value(run, cluster);
    return figure === null || figure === undefined ? -1 : figure;
  };
  return [...clusters].sort(
    (one, other) => key(other) - key(one) || other.size - one.size || one.cluster_id - other.cluster_id,
  );
}

/** A cluster as a card. `count` = how many of its members the filters leave. */
function clusterCard(run, state, cluster, count, onHover) {
  const color = hueOf(run, cluster, state.color !== "cluster");
  const [enter, away] = [() => onHover(cluster.cluster_id), () => onHover(null)];
  const place = linkTo({ view: "cluster", id: String(cluster.cluster_id) });
  const title = h("a", { href: place, "data-row": true }, clusterTitle(cluster));
  const first = isNoise(cluster) ? "Items that resemble too few others to form a cluster." : firstLine(cluster);
  return h(
    "li",
    {
      class: `card${isNoise(cluster) ? " card-noise" : ""}`,
      on: { mouseenter: enter, mouseleave: away, focusin: enter, focusout: away },
    },
    h("div", { class: "card-head" }, swatch(color), h("h4", { class: "card-title" }, title), badgesOf(cluster)),
    first && h("p", { class: "card-text" }, first),
    cardSize(run, cluster, count, color),
    cardFigures(cluster.metrics),
  );
}

const firstLine = (cluster) =>
  (cluster.description ?? "")
    .split("\n")
    .map((line) => line.replace(/^\s*[-•*]\s+/, ""))
    .find(Boolean);

function cardSize(run, cluster, count, color) {
  const size = formatInteger(cluster.size);
  return h(
    "div",
    { class: "card-size" },
    h("span", { class: "size" }, count === cluster.size ? size : `${formatInteger(count)} of ${size}`),
    h("span", { class: "share" }, formatShare(cluster.share)),
    shareBar(cluster.size / run.largest, color),
    sparkline(isNoise(cluster) ? null : cluster.trend),
  );
}

function cardFigures(metrics) {
  const figure = (value, name, lift) => {
    if (value === NONE) return null;
    const words = liftText(lift);
    const told = [h("dt", {}, name), h("dd", {}, value), words && h("dd", { class: "figure-lift" }, words)];
    return h("div", { class: "figure" }, told);
  };
  return h(
    "dl",
    { class: "figures" },
    figure(formatMoney(metrics.avg_cost), "cost each", metrics.lift?.avg_cost),
    figure(formatSeconds(metrics.avg_latency), "latency", metrics.lift?.avg_latency),
    figure(formatShare(metrics.error_rate), "with errors", metrics.error_rate ? metrics.lift?.error_rate : null),
  );
}

function cardList(run, state, clusters, counts, mask, onHover) {
  const shown = clusters.filter((cluster) => !mask || counts.get(cluster.cluster_id) > 0);
  return (
    shown.length > 0 &&
    h(
      "ul",
      { class: "cards" },
      shown.map((cluster) => clusterCard(run, state, cluster, counts.get(cluster.cluster_id), onHover)),
    )
  );
}

function themeSection(run, state, theme, clusters, counts, mask, onHover) {
  const list = cardList(run, state, clusters, counts, mask, onHover);
  if (!list) return null;
  const on = state.theme === String(theme.theme_id);
  const { metrics } = theme;
  const facts = [
    plural(theme.size, itemNoun(run)),
    formatShare(theme.share),
    `${formatMoney(metrics.total_cost)} in all`,
    metrics.error_rate ? `${formatShare(metrics.error_rate)} with errors` : null,
  ];
  return h(
    "section",
    { class: "theme" },
    h(
      "div",
      { class: "theme-head" },
      h("h3", { class: "theme-title" }, swatch(hueOf(run, clusters[0], true), "swatch swatch-theme"), theme.title),
      run.themes.length > 1 &&
        button(on ? "Show all" : "Only this", () => change({ theme: on ? "" : String(theme.theme_id) }, true), {
          class: "button button-quiet",
          "aria-label": on ? "Show all themes" : `Only the theme ${theme.title}`,
        }),
    ),
    h("p", { class: "theme-facts" }, facts.filter((text) => text && !text.startsWith(NONE)).join("  ·  ")),
    list,
  );
}

/** All cards. */
function cardsOf(run, state, mask, onHover) {
  const counts = countsByCluster(run, mask);
  const sorted = sortClusters(run, run.clusters, state.sort);
  const list = (clusters) => cardList(run, state, clusters, counts, mask, onHover);
  if (state.flat || !run.grouped) {
    return h("div", { class: "card-groups", "data-list": true }, list(sorted) || nothingLeft(mask));
  }
  const noTheme = sorted.filter((cluster) => !run.themeById.has(cluster.theme_id) && !isNoise(cluster));
  // A theme stands where its first cluster would: sorted by cost, the theme with the dearest cluster leads.
  const themes = [...new Set(sorted.map((cluster) => cluster.theme_id))]
    .map((id) => run.themeById.get(id))
    .filter(Boolean);
  const ordered = state.sort === "size" ? [...themes].sort((one, other) => other.size - one.size) : themes;
  const sections = ordered.map((theme) =>
    themeSection(
      run,
      state,
      theme,
      sorted.filter((cluster) => cluster.theme_id === theme.theme_id),
      counts,
      mask,
      onHover,
    ),
  );
  const rest = [
    ["No theme", noTheme],
    ["Outliers", sorted.filter(isNoise)],
  ].map(([name, clusters]) => {
    const cards = list(clusters);
    return cards && h("section", { class: "theme" }, h("h3", { class: "theme-title" }, name), cards);
  });
  const any = [...sections, ...rest].some(Boolean);
  return h("div", { class: "card-groups", "data-list": true }, any ? [sections, rest] : nothingLeft(mask));
}

const nothingLeft = (mask) =>
  h("p", { class: "empty" }, mask ? "Nothing passes these filters." : "This run found no cluster.");

/** Clusters of the run before that are no more. */
function goneList(run) {
  if (!run.gone?.length) return null;
  return h(
    "section",
    { class: "theme gone" },
    h("h3", { class: "theme-title" }, "Gone since the run before"),
    h(
      "ul",
      { class: "gone-list" },
      run.gone.map((cluster) =>
        h(
          "li",
          {},
          h("span", { class: "gone-title" }, cluster.title || "Without a name"),
          h(
            "span",
            { class: "gone-facts" },
            `${plural(cluster.size, itemNoun(run))}, last on ${formatDay(cluster.last_date)}`,
          ),
        ),
      ),
    ),
  );
}
