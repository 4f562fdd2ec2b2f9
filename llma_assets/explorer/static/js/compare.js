// This day beside an earlier one: clusters matched by lineage, never by name.

/** Rows {now, then, step}: both sides of each cluster, one of them null where it is new or gone. */
function compareRuns(run, earlier) {
  const before = new Map(
    earlier.clusters.filter((cluster) => cluster.lineage_id).map((cluster) => [cluster.lineage_id, cluster]),
  );
  const rows = run.clusters
    .filter((cluster) => !isNoise(cluster))
    .map((now) => {
      const then = before.get(now.lineage_id) ?? null;
      before.delete(now.lineage_id);
      return { now, then };
    });
  const gone = earlier.clusters
    .filter((cluster) => !isNoise(cluster) && (!cluster.lineage_id || before.has(cluster.lineage_id)))
    .map((then) => ({ now: null, then }));
  return [...rows, ...gone]
    .map((row) => ({ ...row, step: (row.now?.share ?? 0) - (row.then?.share ?? 0) }))
    .sort((one, other) => Math.abs(other.step) - Math.abs(one.step));
}

function mountCompare(root, run, state) {
  if (!run.earlier?.length) return mountMissing(root, "There is no earlier run in the report to compare with.");
  const body = h("div", {});
  const draw = (next) => {
    const earlier = run.earlier.find((one) => one.run_id === next.with) ?? run.earlier[0];
    const options = run.earlier.map((one) => [one.run_id, formatLongDay(one.date)]);
    const rows = compareRuns(run, earlier);
    const isPrevious = earlier.run_id === run.earlier_run_id;
    const count = (test) => rows.filter(test).length;
    const split = isPrevious ? count((row) => !row.then && row.now.change === "split") : 0;
    const words = [
      plural(count((row) => !row.then) - split, "new cluster"),
      ...(split ? [`${split} split off`] : []),
      `${count((row) => !row.now)} gone`,
      `${count((row) => row.now && row.then && row.step > 0.01)} with a larger share`,
      `${count((row) => row.now && row.then && row.step < -0.01)} with a smaller one`,
    ];
    replaceChildren(
      body,
      h(
        "div",
        { class: "page-head" },
        h("h1", {}, `${formatDay(REPORT.date)} against ${formatDay(earlier.date)}`),
        selectBox("with", "Earlier day", options, earlier.run_id, (value) => change({ with: value }, true)),
      ),
      h("p", { class: "hero-facts" }, words.join("  ·  ")),
      h(
        "section",
        { class: "pane" },
        h("h2", { class: "visually-hidden" }, "Clusters"),
        h("div", { class: "table-box" }, compareTable(run, rows, isPrevious)),
      ),
      h(
        "p",
        { class: "map-hint" },
        "Clusters are matched by what they hold, not by their names. Each looks back over its own window.",
      ),
    );
  };
  replaceChildren(root, breadcrumb(["Overview", { view: "overview" }], ["Compare"]), body);
  draw(state);
  return {
    update(next) {
      draw(next);
      document.getElementById("with")?.focus();
    },
    destroy() {},
  };
}

function compareTable(run, rows, isPrevious) {
  const widest = Math.max(0.01, ...rows.map((row) => Math.abs(row.step)));
  return h(
    "table",
    { class: "compare" },
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        ["Cluster", "Items", "Share", "Change of share", "Cost each", "With errors"].map((name, place) =>
          h("th", { scope: "col", class: ["", "number", "number wide", "", "number", "number"][place] }, name),
        ),
      ),
    ),
    h(
      "tbody",
      { "data-list": true },
      rows.map((row) => compareRow(run, row, widest, isPrevious)),
    ),
  );
}

/** What a row is besides a change of size. A cluster that came out of a split is new by lineage, not by what it holds. */
function rowBadge({ now, then }, isPrevious) {
  if (!now) return h("span", { class: "badge badge-shrunk" }, "Gone");
  if (then) return null;
  return isPrevious && now.change === "split"
    ? h("span", { class: "badge badge-other" }, "Split off")
    : h("span", { class: "badge badge-new" }, "New");
}

function compareRow(run, row, widest, isPrevious) {
  const { now, then, step } = row;
  const title = now
    ? h("a", { href: linkTo({ view: "cluster", id: String(now.cluster_id) }), "data-row": true }, clusterTitle(now))
    : h("span", {}, clusterTitle(then));
  const renamed =
    now && then && then.title !== now.title ? h("span", { class: "renamed" }, `was “${then.title}”`) : null;
  const pair = (value) => [
    h("span", { class: "then" }, value(then)),
    h("span", { class: "then", "aria-hidden": "true" }, " → "),
    h("span", { class: "visually-hidden" }, " to "),
    h("span", { class: "now" }, value(now)),
  ];
  const figure = (key, format) => pair((side) => (side ? format(side.metrics?.[key]) : NONE));
  return h(
    "tr",
    { class: now ? "" : "row-gone" },
    h("th", { scope: "row" }, title, rowBadge(row, isPrevious), renamed),
    h(
      "td",
      { class: "number" },
      pair((side) => (side ? formatInteger(side.size) : NONE)),
    ),
    h(
      "td",
      { class: "number wide" },
      pair((side) => (side ? formatShare(side.share) : NONE)),
    ),
    h("td", {}, stepBar(step, widest)),
    h("td", { class: "number" }, figure("avg_cost", formatMoney)),
    h("td", { class: "number" }, figure("error_rate", formatShare)),
  );
}

/** A change to the left or right of a middle line, with its figure. */
function stepBar(step, widest) {
  const points = Math.round(step * 1000) / 10;
  const fill = h("span", { class: `step-fill ${step < 0 ? "step-down" : "step-up"}` });
  const length = (Math.abs(step) / widest) * 50;
  fill.style.width = `${length}%`;
  fill.style.left = step < 0 ? `${50 - length}%` : "50%";
  return h(
    "span",
    { class: "step" },
    h("span", { class: "step-bar", "aria-hidden": "true" }, fill),
    h("span", { class: "step-words" }, `${points > 0 ? "+" : points < 0 ? "−" : ""}${Math.abs(points)} pts`),
  );
}
