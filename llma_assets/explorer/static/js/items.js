// Lists of items in pages, so that thousands cost no more than fifty.

const PAGE_SIZE = 50;
const ORDERS = {
  rank: ["Most typical", (run, index) => run.items.rank[index], 1],
  cost: ["Most expensive", (run, index) => run.items.cost[index], -1],
  latency: ["Slowest", (run, index) => run.items.latency[index], -1],
  tokens: ["Most tokens", (run, index) => run.items.tokens[index], -1],
  errors: ["Most errors", (run, index) => run.items.errors[index], -1],
  t: ["Newest", (run, index) => run.items.t[index], -1],
};

function orderItems(run, indices, order) {
  const [, value, direction] = ORDERS[order] ?? ORDERS.rank;
  const missingLast = (index) => value(run, index) ?? (direction > 0 ? Infinity : -Infinity);
  return [...indices].sort((one, other) => direction * (missingLast(one) - missingLast(other)) || one - other);
}

/** A table of items with its pages and its order. `state.page` counts from 1. */
function itemTable(run, state, indices, heading) {
  const ordered = orderItems(run, indices, state.order);
  const pages = Math.max(1, Math.ceil(ordered.length / PAGE_SIZE));
  const page = Math.min(pages, Math.max(1, Number.parseInt(state.page, 10) || 1));
  const rows = ordered.slice((page - 1) * PAGE_SIZE, page * PAGE_SIZE);
  const options = Object.entries(ORDERS).map(([key, [name]]) => [key, name]);
  const columns = [
    ["Item", ""],
    ["When", "wide"],
    ["Cost", "number"],
    ["Latency", "number wide"],
    ["Tokens", "number wide"],
    ["Errors", "number"],
    ["Model", "wide"],
  ];
  return [
    h(
      "div",
      { class: "pane-head" },
      h("h2", {}, heading),
      selectBox("order", "Order", options, state.order, (value) => change({ order: value, page: "" }, true)),
    ),
    rows.length === 0
      ? h("p", { class: "empty" }, "No item passes these filters.")
      : h(
          "div",
          { class: "table-box" },
          h(
            "table",
            { class: "items" },
            h(
              "thead",
              {},
              h(
                "tr",
                {},
                columns.map(([name, kind]) => h("th", { scope: "col", class: kind }, name)),
              ),
            ),
            h(
              "tbody",
              { "data-list": true },
              rows.map((index) => itemRow(run, index)),
            ),
          ),
        ),
    pages > 1 && pager(page, pages),
  ];
}

function itemRow(run, index) {
  const { items } = run;
  return h(
    "tr",
    {},
    h(
      "th",
      { scope: "row" },
      h("a", { href: linkTo({ view: "item", id: items.id[index] }), "data-row": true }, itemTitle(run, index)),
      items.borderline?.[index] ? h("span", { class: "tag" }, "borderline") : null,
    ),
    h("td", { class: "wide nowrap" }, formatTime(items.t[index])),
    h("td", { class: "number" }, formatMoney(items.cost[index])),
    h("td", { class: "number wide" }, formatSeconds(items.latency[index])),
    h("td", { class: "number wide" }, formatCompact(items.tokens[index])),
    h(
      "td",
      { class: `number${items.errors[index] ? " bad" : ""}` },
      items.errors[index] ? formatInteger(items.errors[index]) : "0",
    ),
    h("td", { class: "wide" }, items.models[index].map((model) => run.models[model]).join(", ") || NONE),
  );
}

function pager(page, pages) {
  const step = (to, label, hint) =>
    button(label, () => change({ page: to === 1 ? "" : String(to) }), {
      class: "button",
      disabled: to < 1 || to > pages,
      "aria-label": hint,
    });
  return h(
    "nav",
    { class: "pager", "aria-label": "Pages" },
    step(page - 1, "Previous", "Previous page"),
    h("span", {}, `Page ${page} of ${pages}`),
    step(page + 1, "Next", "Next page"),
  );
}
