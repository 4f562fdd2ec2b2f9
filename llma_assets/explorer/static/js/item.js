// One item: its summary, the text that the summary rests on, its flow and its figures.

function mountItem(root, run, state) {
  const index = run.itemById.get(state.id);
  if (index === undefined) return mountMissing(root, `This run has no ${itemNoun(run)} ${state.id}.`);
  const cluster = run.clusterById.get(run.items.cluster[index]);
  const summary = h("div", { class: "item-summary" }, h("p", { class: "loading" }, "Unpacking …"));
  const text = h("div", { class: "item-text" });
  const title = itemTitle(run, index);
  replaceChildren(root,
    breadcrumb(["Overview", { view: "overview" }], [clusterTitle(cluster), { view: "cluster", id: String(cluster.cluster_id) }], [title]),
    h("div", { class: "page-head" }, h("h1", {}, title), h("div", { class: "badges" }, run.items.errors[index] > 0 && h("span", { class: "badge badge-errors" }, plural(run.items.errors[index], "error")), run.items.borderline?.[index] ? h("span", { class: "badge badge-other" }, "Borderline") : null), stepLinks(run, index)),
    itemFacts(run, index),
    h("div", { class: "columns columns-item" }, h("div", { class: "column" }, summary, itemIds(run, index), neighbourPane(run, index)), h("div", { class: "column" }, text)));
  let line = "";
  let alive = true;
  let loaded = false;
  const mark = (next, focus) => {
    if (!loaded) return;
    if (next && !markLines(root, next, focus)) announce(`Line ${next} is not in this file`);
    else if (!next) markLines(root, "", false);
  };
  detailOf(run, index).then((detail) => {
    if (!alive) return;
    loaded = true;
    showDetail(run, index, detail, summary, text);
    line = currentState().line;
    mark(line, false);
  }).catch((error) => {
    if (alive) replaceChildren(summary, h("p", { class: "warning", role: "alert" }, `The details could not be unpacked: ${error.message}`));
  });
  return {
    update(next) {
      line = next.line;
      mark(line, true);
    },
    redraw() {},
    destroy() { alive = false; },
  };
}

function showDetail(run, index, detail, summary, text) {
  const points = (heading, list) => list?.length > 0 && h("section", { class: "pane" }, h("h2", {}, heading), h("ul", { class: "points" }, list.map(summaryPoint)));
  const flow = flowDiagram(detail?.flow);
  replaceChildren(summary,
    points("Summary", detail?.bullets), points("Worth a note", detail?.notes),
    !detail?.bullets?.length && !detail?.notes?.length && h("section", { class: "pane" }, h("h2", {}, "Summary"), h("p", { class: "empty" }, "No summary is in this file.")),
    flow && h("section", { class: "pane" }, h("h2", {}, "Flow"), flow));
  const lines = traceText(detail);
  replaceChildren(text, h("section", { class: "pane pane-text" }, h("h2", {}, "Text"),
    (detail?.omitted || !lines) && h("div", { class: "text-note" }, h("p", {}, detail?.omitted ?? "The text is not in this file."), IS_NAMED && h("p", {}, "All of it: ", copyable(traceCommand(run, index), "the command"))),
    lines));
}

function itemFacts(run, index) {
  const { items } = run;
  const names = (field) => items[field][index].map((place) => run[field][place]).join(", ");
  return h("dl", { class: "tiles tiles-item" },
    fact("When (UTC)", formatTime(items.t[index])), fact("Cost", formatMoney(items.cost[index])), fact("Latency", formatSeconds(items.latency[index])),
    fact("Tokens", formatInteger(items.tokens[index])), fact("Errors", formatInteger(items.errors[index])),
    names("models") && fact("Model", names("models")));
}

function itemIds(run, index) {
  const { items } = run;
  const tools = items.tools[index].map((place) => run.tools[place]);
  return h("section", { class: "pane" }, h("h2", {}, "Details"),
    h("dl", { class: "detail-list" },
      IS_NAMED && [h("dt", {}, "Trace"), h("dd", {}, copyable(traceId(run, index), "the trace id"))],
      IS_NAMED && run.level === "generation" && [h("dt", {}, "Generation"), h("dd", {}, copyable(items.id[index], "the generation id"))],
      tools.length > 0 && [h("dt", {}, "Tools called"), h("dd", {}, tools.join(", "))],
      h("dt", {}, "Rank in the cluster"), h("dd", {}, `${formatInteger(items.rank[index] + 1)} of ${formatInteger(run.members.get(items.cluster[index]).length)}`),
      !missing(items.distance?.[index]) && [h("dt", {}, "Distance to its centre"), h("dd", {}, items.distance[index].toFixed(3))]));
}

function neighbourPane(run, index) {
  return h("section", { class: "pane" }, h("h2", {}, "Near it on the map"), h("ul", { class: "item-lines", "data-list": true }, neighbours(run, index, 6).map((other) => itemLine(run, other))));
}

/** To the items before and after it in its cluster. */
function stepLinks(run, index) {
  const members = run.members.get(run.items.cluster[index]);
  const at = members.indexOf(index);
  const step = (to, label, hint) => (members[to] === undefined ? null : h("a", { class: "button button-small", href: linkTo({ view: "item", id: run.items.id[members[to]] }), "aria-label": hint }, label));
  return h("div", { class: "steps" }, step(at - 1, "← Previous", "Previous in the cluster"), step(at + 1, "Next →", "Next in the cluster"));
}
