// One cluster: what it is, how it differs from the rest, how it went, and its items.

const CHANGES = {
  born: "New: no cluster of the run before resembles it.",
  kept: "Continues a cluster of the run before.",
  split: "Came out of a cluster of the run before that was split.",
  merged: "Several clusters of the run before became this one.",
};
const SOURCES = {
  keywords: "Named by the terms that set its members apart.",
  llm: "Named by a model.",
  fixed: "A fixed name.",
};
const NAME_REASONS = {
  kept: "The name was kept from the day before.",
  new_cluster: "It is new, so it was named now.",
  content_changed: "Its members changed, so it was named anew.",
  split: "It came out of a split, so it was named anew.",
  noise: "What resembles too few others is always called so.",
};

function mountCluster(root, run, state) {
  const cluster = run.clusterById.get(Number(state.id));
  if (!cluster) return mountMissing(root, `This run has no cluster ${state.id}.`);
  const list = h("section", { class: "pane" });
  const filters = h("div", { class: "filters" });
  const trendBox = h("div", { class: "trend-box", "aria-hidden": "true" });
  const canvas = h("div", { class: "map-canvas map-small", "aria-hidden": "true" });
  const hasTrend = cluster.trend?.length > 1 && !isNoise(cluster);
  const right = [
    pane("On the map", canvas),
    hasTrend && pane("Day by day", trendBox, trendTable(cluster.trend)),
    pane("Why this name", nameReasons(run, cluster)),
  ];
  const columns = h("div", { class: "columns" }, clusterColumn(run, cluster), h("div", { class: "column" }, right));
  replaceChildren(root, clusterHead(run, cluster), columns, filters, list);
  const trend = hasTrend ? createTrend(trendBox, cluster.trend, hueOf(run, cluster, true)) : null;
  const open = (index) => go({ view: "item", id: run.items.id[index] });
  const map = createMap(
    canvas,
    run,
    { open, openCluster() {}, hover() {}, select() {} },
    { focus: cluster.cluster_id },
  );
  map.update("theme", null);
  map.highlight(cluster.cluster_id);
  const draw = (next) => {
    const mask = filterMask(run, next);
    const members = run.members.get(cluster.cluster_id);
    const left = mask ? members.filter((index) => mask[index]) : members;
    replaceChildren(filters, mask && clusterFilters(run, next, left.length, members.length));
    replaceChildren(list, itemTable(run, next, left, isNoise(cluster) ? "Items, strangest first" : "Items"));
  };
  draw(state);
  return {
    update: draw,
    destroy() {
      trend?.destroy();
      map.destroy();
    },
  };
}

function clusterHead(run, cluster) {
  const theme = run.grouped && run.themeById.get(cluster.theme_id);
  const patch = swatch(hueOf(run, cluster, true), "swatch swatch-large");
  const words = "Outliers are no cluster: they resemble too few others. The first are the strangest.";
  return [
    breadcrumb(
      ["Overview", { view: "overview" }],
      theme && [theme.title, { view: "overview", theme: String(theme.theme_id) }],
      [clusterTitle(cluster)],
    ),
    h(
      "div",
      { class: "page-head" },
      h("h1", {}, patch, clusterTitle(cluster)),
      h("div", { class: "badges" }, badgesOf(cluster)),
    ),
    h("p", { class: "hero-facts" }, clusterFacts(run, cluster)),
    isNoise(cluster) && h("p", { class: "warning", role: "note" }, words),
  ];
}

function clusterColumn(run, cluster) {
  const color = hueOf(run, cluster, true);
  return h(
    "div",
    { class: "column" },
    pane("What it is", descriptionList(cluster.description), keywordList(cluster)),
    pane("How it differs", metricTable(run, cluster)),
    namesPane("Models", cluster.metrics.models, color),
    namesPane("Tools called", cluster.metrics.tools, color),
  );
}

function clusterFacts(run, cluster) {
  const facts = [
    `${plural(cluster.size, itemNoun(run))}`,
    `${formatShare(cluster.share)} of all`,
    `${formatMoney(cluster.metrics.total_cost)} in all`,
  ];
  if (cluster.metrics.distinct_users) facts.push(plural(cluster.metrics.distinct_users, "user"));
  if (cluster.first_seen) facts.push(`first seen ${formatDay(cluster.first_seen)}`);
  if (before(run, cluster)) facts.push(`${formatInteger(before(run, cluster).size)} in the run before`);
  return facts.filter((text) => !text.startsWith(NONE)).join("  ·  ");
}

function clusterFilters(run, state, left, all) {
  return h(
    "div",
    { class: "active-filters" },
    h("span", { class: "active-count" }, `${formatInteger(left)} of ${plural(all, itemNoun(run))}`),
    filterWords(run, state).map(([name, words]) =>
      button(
        [words, h("span", { "aria-hidden": "true", class: "cross" }, "×")],
        () => change({ [name]: "", page: "" }, true),
        { class: "chip", "aria-label": `Remove the filter: ${words}` },
      ),
    ),
  );
}

const keywordList = (cluster) =>
  cluster.keywords?.length > 0 &&
  h(
    "ul",
    { class: "keywords", "aria-label": "Keywords" },
    cluster.keywords.slice(0, 12).map((word) => h("li", {}, word)),
  );

/** This cluster against the rest of the run; the rest's figure follows from the ratio. */
function metricTable(run, cluster) {
  const { metrics } = cluster;
  const rows = METRICS.filter(({ key }) => !missing(metrics[key])).map(({ key, name, format }) => {
    const lift = metrics.lift?.[key];
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, name),
      h("td", { class: "number strong" }, format(metrics[key])),
      h("td", { class: "number" }, missing(lift) || lift === 0 ? NONE : format(metrics[key] / lift)),
      h("td", {}, liftText(lift) ?? NONE),
    );
  });
  return h(
    "div",
    { class: "table-box" },
    h(
      "table",
      {},
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col" }, "Metric"),
          h("th", { scope: "col", class: "number" }, "Here"),
          h("th", { scope: "col", class: "number" }, "The rest"),
          h("th", { scope: "col" }, "So"),
        ),
      ),
      h("tbody", {}, rows),
    ),
  );
}

function namesPane(heading, names, color) {
  if (!names?.length) return null;
  return h(
    "section",
    { class: "pane" },
    h("h2", {}, heading),
    h(
      "ul",
      { class: "name-bars" },
      names
        .slice(0, 8)
        .map((one) =>
          h(
            "li",
            {},
            h("span", { class: "name-bar-name" }, one.name),
            h("span", { class: "name-bar-share" }, formatShare(one.share)),
            shareBar(one.share, color),
            h("span", { class: "name-bar-lift" }, liftText(one.lift, false)),
          ),
        ),
    ),
  );
}

function nameReasons(run, cluster) {
  const lines = [
    SOURCES[cluster.label_source] ?? (cluster.label_source ? `Source of the name: ${cluster.label_source}.` : null),
    NAME_REASONS[cluster.name_reason] ?? (cluster.name_reason ? `Reason: ${cluster.name_reason}.` : null),
    run.earlier_run_id ? CHANGES[cluster.change] : null,
  ];
  if (cluster.previous_title && cluster.previous_title !== cluster.title)
    lines.push(`Before it was called “${cluster.previous_title}”.`);
  return [
    h(
      "ul",
      { class: "description" },
      lines.filter(Boolean).map((line) => h("li", {}, line)),
    ),
    cluster.lineage_id && h("p", { class: "lineage" }, "Lineage ", copyable(cluster.lineage_id, "the lineage")),
  ];
}

function mountMissing(root, words) {
  replaceChildren(
    root,
    h("h1", {}, "Not here"),
    h("p", { class: "empty" }, words),
    h("p", {}, link({ view: "overview" }, "button", "To the overview")),
  );
  return { update() {}, destroy() {} };
}
