// One item: its summary, the text that the summary rests on, its flow and its figures.

function mountItem(root, run, state) {
  const index = run.itemById.get(state.id);
  if (index === undefined) return mountMissing(root, `This run has no ${itemNoun(run)} ${state.id}.`);
  const summary = h("div", { class: "item-summary" }, h("p", { class: "loading" }, "Unpacking …"));
  const text = h("div", { class: "item-text" });
  const left = [summary, itemIds(run, index), neighbourPane(run, index)];
  const columns = [h("div", { class: "column" }, left), h("div", { class: "column" }, text)];
  replaceChildren(
    root,
    itemHead(run, index),
    itemFacts(run, index),
    h("div", { class: "columns columns-item" }, columns),
  );
  let alive = true;
  let loaded = false;
  const mark = (line, focus) => {
    if (loaded && !markLines(root, line, focus) && line) announce(`Line ${line} is not in this file`);
  };
  const fail = (error) =>
    h("p", { class: "warning", role: "alert" }, `The details cannot be unpacked: ${error.message}`);
  detailOf(run, index)
    .then((detail) => {
      if (!alive) return;
      loaded = true;
      replaceChildren(summary, itemSummary(detail));
      replaceChildren(text, itemText(run, index, detail));
      mark(currentState().line, false);
    })
    .catch((error) => alive && replaceChildren(summary, fail(error)));
  return {
    update: (next) => mark(next.line, true),
    destroy() {
      alive = false;
    },
  };
}

function itemHead(run, index) {
  const { errors, borderline, cluster } = run.items;
  const own = run.clusterById.get(cluster[index]);
  const marks = [
    errors[index] > 0 && h("span", { class: "badge badge-errors" }, plural(errors[index], "error")),
    borderline?.[index] > 0 && h("span", { class: "badge badge-other" }, "Borderline"),
  ];
  const title = itemTitle(run, index);
  return [
    breadcrumb(
      ["Overview", { view: "overview" }],
      [clusterTitle(own), { view: "cluster", id: String(own.cluster_id) }],
      [title],
    ),
    h("div", { class: "page-head" }, h("h1", {}, title), h("div", { class: "badges" }, marks), stepLinks(run, index)),
  ];
}

function itemSummary(detail) {
  const points = (heading, list) =>
    list?.length > 0 && pane(heading, h("ul", { class: "points" }, list.map(summaryPoint)));
  const told = [points("Summary", detail?.bullets), points("Worth a note", detail?.notes)];
  const flow = flowDiagram(detail?.flow);
  return [
    told.some(Boolean) ? told : pane("Summary", h("p", { class: "empty" }, "No summary is in this file.")),
    flow && pane("Flow", flow),
  ];
}

/** The text, and where it is not whole, why, and how to read all of it. */
function itemText(run, index, detail) {
  const lines = traceText(detail);
  const reason = detail?.omitted ?? (lines ? null : "The text is not in this file.");
  const command = IS_NAMED && h("p", {}, "All of it: ", copyable(traceCommand(run, index), "the command"));
  const why = reason && h("div", { class: "text-note" }, h("p", {}, reason), command);
  return h("section", { class: "pane pane-text" }, h("h2", {}, "Text"), why, lines);
}

function itemFacts(run, index) {
  const { items } = run;
  const names = (field) => items[field][index].map((place) => run[field][place]).join(", ");
  return h(
    "dl",
    { class: "tiles tiles-item" },
    fact("When (UTC)", formatTime(items.t[index])),
    fact("Cost", formatMoney(items.cost[index])),
    fact("Latency", formatSeconds(items.latency[index])),
    fact("Tokens", formatInteger(items.tokens[index])),
    fact("Errors", formatInteger(items.errors[index])),
    names("models") && fact("Model", names("models")),
  );
}

function itemIds(run, index) {
  const { items } = run;
  const tools = items.tools[index].map((place) => run.tools[place]);
  return h(
    "section",
    { class: "pane" },
    h("h2", {}, "Details"),
    h(
      "dl",
      { class: "detail-list" },
      IS_NAMED && [h("dt", {}, "Trace"), h("dd", {}, copyable(traceId(run, index), "the trace id"))],
      IS_NAMED &&
        run.level === "generation" && [
          h("dt", {}, "Generation"),
          h("dd", {}, copyable(items.id[index], "the generation id")),
        ],
      tools.length > 0 && [h("dt", {}, "Tools called"), h("dd", {}, tools.join(", "))],
      h("dt", {}, "Rank in the cluster"),
      h(
        "dd",
        {},
        `${formatInteger(items.rank[index] + 1)} of ${formatInteger(run.members.get(items.cluster[index]).length)}`,
      ),
      !missing(items.distance?.[index]) && [
        h("dt", {}, "Distance to its centre"),
        h("dd", {}, items.distance[index].toFixed(3)),
      ],
    ),
  );
}

function neighbourPane(run, index) {
  return h(
    "section",
    { class: "pane" },
    h("h2", {}, "Near it on the map"),
    h(
      "ul",
      { class: "item-lines", "data-list": true },
      neighbours(run, index, 6).map((other) => itemLine(run, other)),
    ),
  );
}

/** To the items before and after it in its cluster. */
function stepLinks(run, index) {
  const members = run.members.get(run.items.cluster[index]);
  const at = members.indexOf(index);
  const step = (to, label, hint) =>
    members[to] === undefined
      ? null
      : h(
          "a",
          {
            class: "button button-small",
            href: linkTo({ view: "item", id: run.items.id[members[to]] }),
            "aria-label": hint,
          },
          label,
        );
  return h(
    "div",
    { class: "steps" },
    step(at - 1, "← Previous", "Previous in the cluster"),
    step(at + 1, "Next →", "Next in the cluster"),
  );
}
