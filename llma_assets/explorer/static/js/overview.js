// The first view: totals, four answers, the map, and the clusters as cards beside it.

function mountOverview(root, run, state) {
  let map = null;
  let mask = filterMask(run, state);
  let shown = state;
  let chosen = [];
  const canvas = h("div", { class: "map-canvas", role: "img", "aria-label": mapWords(run) });
  const toolbar = mapToolbar(run, state, () => map);
  const legend = h("div", { class: "map-legend" });
  const side = h("div", { class: "side-body" });
  const filters = h("div", { class: "filters" });
  const lasso = h("section", { class: "selection", "aria-label": "Selection", hidden: true });
  const mapBox = h("div", { class: "map-box" }, canvas);
  const note = createNote(mapBox);
  const onHover = (cluster) => map.highlight(cluster);
  replaceChildren(root,
    h("div", { class: "hero" }, runHeading(run), tiles(run)),
    answers(run),
    h("div", { class: "split" },
      h("section", { class: "map-pane", "aria-labelledby": "map-heading" },
        h("div", { class: "pane-head" }, h("h2", { id: "map-heading" }, "Map"), toolbar.bar), mapBox, legend,
        h("p", { class: "map-hint" }, "Items near each other mean nearly the same. Every cluster is in the list, too.")),
      h("section", { class: "side", "aria-labelledby": "clusters-heading" },
        h("div", { class: "pane-head" }, h("h2", { id: "clusters-heading" }, "Clusters"), h("div", { class: "side-tools" })), filters, lasso, side)));
  map = createMap(canvas, run, {
    open: (index) => { location.hash = linkTo({ view: "item", id: run.items.id[index] }); },
    openCluster: (id) => { location.hash = linkTo({ view: "cluster", id: String(id) }); },
    hover: (index, place) => (index < 0 ? note.hide() : note.show(run, index, place)),
    picking: toolbar.pressed,
    select: (indices) => { chosen = mask ? indices.filter((index) => mask[index]) : indices; drawSelection(); },
  });
  const clear = () => {
    chosen = [];
    map.clear();
    drawSelection();
  };

  function drawSelection() {
    lasso.hidden = !chosen.length;
    if (!chosen.length) return;
    replaceChildren(lasso, selectionPanel(run, chosen, clear));
    announce(`${plural(chosen.length, itemNoun(run))} selected`);
    if (matchMedia("(max-width: 900px)").matches) lasso.scrollIntoView({ block: "nearest" });
  }

  function draw() {
    map.update(shown.color, mask);
    root.querySelector("#map-color").value = shown.color;
    replaceChildren(legend, legendOf(run, shown.color, mask));
    replaceChildren(root.querySelector(".side-tools"), sortTools(run, shown), filterPanelKept(root, run, shown));
    replaceChildren(filters, activeFilters(run, shown, mask));
    replaceChildren(side, cardsOf(run, shown, mask, onHover), goneList(run));
  }
  draw();
  return {
    update(next) {
      const filtered = FILTERS.some((name) => next[name] !== shown[name]);
      shown = next;
      mask = filterMask(run, shown);
      draw();
      if (filtered) announce(mask ? `${mask.reduce((sum, one) => sum + one, 0)} of ${plural(run.count, itemNoun(run))} shown` : "Everything shown");
    },
    redraw: draw,
    escape() {
      if (!chosen.length) return hasFilters(shown) && (change(noFilters(), true), true);
      clear();
      return true;
    },
    destroy: () => map.destroy(),
  };
}

/** The filter panel anew; it stays open and keeps the focus if it had it. */
function filterPanelKept(root, run, state) {
  const before = root.querySelector("details[data-panel]");
  const focus = before?.contains(document.activeElement) ? document.activeElement.id : "";
  const panel = filterPanel(run, state);
  panel.open = before?.open ?? false;
  if (focus) queueMicrotask(() => document.getElementById(focus)?.focus());
  return panel;
}

function sortTools(run, state) {
  const options = Object.entries(SORTS).map(([key, [name]]) => [key, name]);
  const flat = h("input", { id: "flat", type: "checkbox", checked: !state.flat, on: { change: () => change({ flat: flat.checked ? "" : "1" }, true) } });
  return h("div", { class: "sort-tools" },
    selectBox("sort", "Sort by", options, state.sort, (value) => change({ sort: value }, true)),
    run.grouped && h("label", { class: "check", for: "flat" }, flat, " By theme"));
}

function runHeading(run) {
  const clusters = run.clusters.filter((cluster) => !isNoise(cluster)).length;
  const nouns = run.level === "generation" ? "generations" : "traces";
  const themes = run.grouped ? `in ${plural(run.themes.length, "theme")}` : null;
  const sampled = run.items_analyzed < run.items_in_window ? `${formatInteger(run.items_analyzed)} of ${formatInteger(run.items_in_window)}` : formatInteger(run.items_analyzed);
  return h("div", { class: "hero-words" },
    h("h1", {}, [`${sampled} ${nouns},`, plural(clusters, "cluster"), themes].filter(Boolean).map((part, place) => [place ? " " : "", h("span", { class: "nowrap" }, part)])),
    h("p", { class: "hero-facts" }, `${formatWindow(run)} (UTC)  ·  ${run.job_name}`),
    (run.warnings ?? []).map((warning) => h("p", { class: "warning", role: "note" }, h("strong", {}, "Note: "), warning)));
}

function tiles(run) {
  const { metrics } = run;
  const noise = run.clusters.find(isNoise);
  return h("dl", { class: "tiles" },
    fact("Cost", formatMoney(metrics.total_cost), missing(metrics.avg_cost) ? "not known" : `${formatMoney(metrics.avg_cost)} each`),
    fact("Latency", formatSeconds(metrics.avg_latency), missing(metrics.p95_latency) ? "not known" : `p95 ${formatSeconds(metrics.p95_latency)}`),
    fact("With errors", formatShare(metrics.error_rate), missing(metrics.error_count) ? "not known" : plural(metrics.error_count, itemNoun(run))),
    fact("Tokens each", formatCompact(metrics.avg_tokens), plural(run.models.length, "model")),
    fact("Users", formatInteger(run.users), "distinct"),
    fact("Outliers", formatInteger(noise?.size ?? 0), formatShare((noise?.size ?? 0) / Math.max(1, run.count))));
}

/** What an analyst asks first, answered by one cluster each. */
function answers(run) {
  const clusters = run.clusters.filter((cluster) => !isNoise(cluster));
  if (!clusters.length) return null;
  const top = (value) => clusters.filter((cluster) => value(cluster) > 0).sort((one, other) => value(other) - value(one))[0];
  const common = top((cluster) => cluster.size);
  const dear = top((cluster) => cluster.metrics.total_cost);
  // One item with an error among five is chance: two are asked for.
  const failing = top((cluster) => (cluster.metrics.error_count >= 2 ? cluster.metrics.error_rate : 0));
  const fresh = top((cluster) => (cluster.change === "born" && run.earlier_run_id ? cluster.size : 0));
  const grown = top((cluster) => (cluster.badges?.includes("grown") ? growth(run, cluster) ?? 0 : 0));
  const answer = (question, cluster, words, otherwise) => h("li", { class: "answer" },
    h("span", { class: "answer-question" }, question),
    cluster ? link({ view: "cluster", id: String(cluster.cluster_id) }, "answer-title", clusterTitle(cluster)) : h("span", { class: "answer-none" }, otherwise),
    cluster && h("span", { class: "answer-words" }, words(cluster)));
  const lift = (cluster, key) => (liftWords(cluster.metrics.lift?.[key]) ? `, ${liftWords(cluster.metrics.lift[key])}` : "");
  return h("ul", { class: "answers", "aria-label": "At a glance" },
    answer("Most common", common, (cluster) => `${plural(cluster.size, itemNoun(run))}, ${formatShare(cluster.share)} of all`, NONE),
    answer("Costs most", dear, (cluster) => `${formatMoney(cluster.metrics.total_cost)} in all; each ${formatMoney(cluster.metrics.avg_cost)}${lift(cluster, "avg_cost")}`, "No cost is known"),
    answer("Fails most", failing, (cluster) => `${formatShare(cluster.metrics.error_rate)} with errors${lift(cluster, "error_rate")}`, "No cluster has two items with errors"),
    fresh
      ? answer("New", fresh, (cluster) => `${plural(cluster.size, itemNoun(run))}, first seen ${formatDay(cluster.first_seen ?? REPORT.date)}`)
      : answer("Grown", grown, (cluster) => `from ${formatShare(before(run, cluster).share)} to ${formatShare(cluster.share)} of all`, run.earlier_run_id ? "Nothing new, nothing much larger" : "There is no earlier run to compare with"));
}

function mapWords(run) {
  const largest = sortClusters(run, run.clusters.filter((cluster) => !isNoise(cluster)), "size").slice(0, 5);
  return `Map of ${plural(run.count, itemNoun(run))}. Largest clusters: ${largest.map((cluster) => `${clusterTitle(cluster)} (${cluster.size})`).join(", ")}. The list of clusters holds all of it.`;
}

function selectionPanel(run, chosen, clear) {
  const counts = new Map();
  for (const index of chosen) counts.set(run.items.cluster[index], (counts.get(run.items.cluster[index]) ?? 0) + 1);
  const clusters = [...counts].sort(([, one], [, other]) => other - one).slice(0, 4);
  const costs = chosen.map((index) => run.items.cost[index]).filter((value) => value !== null);
  const errors = chosen.filter((index) => run.items.errors[index]).length;
  const facts = [costs.length ? `${formatMoney(costs.reduce((sum, value) => sum + value, 0))} in all` : null, `${formatInteger(errors)} with errors`];
  return [
    h("div", { class: "pane-head" }, h("h3", {}, `${plural(chosen.length, itemNoun(run))} selected`), button("Clear", clear, { class: "button button-small" })),
    h("p", { class: "theme-facts" }, facts.filter(Boolean).join("  ·  ")),
    h("ul", { class: "selection-clusters" }, clusters.map(([id, count]) => h("li", {}, link({ view: "cluster", id: String(id) }, "", clusterTitle(run.clusterById.get(id))), ` ${count}`))),
    h("ul", { class: "item-lines", "data-list": true }, chosen.slice(0, 100).map((index) => itemLine(run, index))),
    chosen.length > 100 && h("p", { class: "map-hint" }, "The first 100 are listed."),
  ];
}

/** An item on one line. */
function itemLine(run, index) {
  const { items } = run;
  const facts = [formatMoney(items.cost[index]), formatSeconds(items.latency[index])].filter((text) => text !== NONE);
  return h("li", {}, h("a", { href: linkTo({ view: "item", id: items.id[index] }), class: "item-line", "data-row": true },
    h("span", { class: "item-line-title" }, itemTitle(run, index)),
    items.errors[index] > 0 && h("span", { class: "badge badge-errors" }, "Errors"),
    h("span", { class: "item-line-facts" }, facts.join("  ·  "))));
}
