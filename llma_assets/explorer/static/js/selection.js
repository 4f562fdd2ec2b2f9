// Items drawn around on the map, as a list.

/** Keeps what is selected and shows it in `box`; `map` gives the map, which is made later. */
function createSelection(run, box, map) {
  let chosen = [];
  const clear = () => {
    const any = chosen.length > 0;
    chosen = [];
    box.hidden = true;
    map().clear();
    return any;
  };
  return {
    clear,
    show(indices) {
      chosen = indices;
      box.hidden = !chosen.length;
      if (!chosen.length) return;
      replaceChildren(box, selectionPanel(run, chosen, clear));
      announce(`${plural(chosen.length, itemNoun(run))} selected`);
      if (matchMedia("(max-width: 900px)").matches) box.scrollIntoView({ block: "nearest" });
    },
  };
}

function selectionPanel(run, chosen, clear) {
  const counts = new Map();
  for (const index of chosen) counts.set(run.items.cluster[index], (counts.get(run.items.cluster[index]) ?? 0) + 1);
  const clusters = [...counts].sort(([, one], [, other]) => other - one).slice(0, 4);
  const costs = chosen.map((index) => run.items.cost[index]).filter((value) => value !== null);
  const errors = chosen.filter((index) => run.items.errors[index]).length;
  const facts = [
    costs.length ? `${formatMoney(costs.reduce((sum, value) => sum + value, 0))} in all` : null,
    `${formatInteger(errors)} with errors`,
  ];
  return [
    h(
      "div",
      { class: "pane-head" },
      h("h3", {}, `${plural(chosen.length, itemNoun(run))} selected`),
      button("Clear", clear, { class: "button button-small" }),
    ),
    h("p", { class: "theme-facts" }, facts.filter(Boolean).join("  ·  ")),
    h(
      "ul",
      { class: "selection-clusters" },
      clusters.map(([id, count]) =>
        h("li", {}, link({ view: "cluster", id: String(id) }, "", clusterTitle(run.clusterById.get(id))), ` ${count}`),
      ),
    ),
    h(
      "ul",
      { class: "item-lines", "data-list": true },
      chosen.slice(0, 100).map((index) => itemLine(run, index)),
    ),
    chosen.length > 100 && h("p", { class: "map-hint" }, "The first 100 are listed."),
  ];
}

/** An item on one line. */
function itemLine(run, index) {
  const { items } = run;
  const facts = [formatMoney(items.cost[index]), formatSeconds(items.latency[index])].filter((text) => text !== NONE);
  return h(
    "li",
    {},
    h(
      "a",
      { href: linkTo({ view: "item", id: items.id[index] }), class: "item-line", "data-row": true },
      h("span", { class: "item-line-title" }, itemTitle(run, index)),
      items.errors[index] > 0 && h("span", { class: "badge badge-errors" }, "Errors"),
      h("span", { class: "item-line-facts" }, facts.join("  ·  ")),
    ),
  );
}
