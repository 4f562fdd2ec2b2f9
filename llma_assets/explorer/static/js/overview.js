// The first view: totals, four answers, the map, and the clusters as cards beside it.

function mountOverview(root, run, state) {
  let map = null;
  let mask = filterMask(run, state);
  let shown = state;
  const parts = overviewParts(run, state, () => map);
  const note = createNote(parts.mapBox);
  const selection = createSelection(run, parts.selection, () => map);
  replaceChildren(root, h("div", { class: "hero" }, runHeading(run), tiles(run)), answers(run), overviewColumns(parts));
  map = createMap(parts.canvas, run, {
    open: (index) => go({ view: "item", id: run.items.id[index] }),
    openCluster: (id) => go({ view: "cluster", id: String(id) }),
    hover: (index, place) => (index < 0 ? note.hide() : note.show(run, index, place)),
    picking: parts.toolbar.pressed,
    select: (indices) => selection.show(mask ? indices.filter((index) => mask[index]) : indices),
  });
  const draw = () => {
    map.update(shown.color, mask);
    root.querySelector("#map-color").value = shown.color;
    replaceChildren(parts.legend, legendOf(run, shown.color, mask));
    replaceChildren(parts.tools, sortTools(run, shown), filterPanelKept(root, run, shown));
    replaceChildren(parts.filters, activeFilters(run, shown, mask));
    const cards = cardsOf(run, shown, mask, (cluster) => map.highlight(cluster));
    replaceChildren(parts.cards, cards, goneList(run));
  };
  draw();
  return {
    update(next) {
      const filtered = FILTERS.some((name) => next[name] !== shown[name]);
      shown = next;
      mask = filterMask(run, shown);
      draw();
      if (filtered) announce(mask ? `${sumOf(mask)} of ${plural(run.count, itemNoun(run))} shown` : "Everything shown");
    },
    escape() {
      if (selection.clear()) return true;
      if (!hasFilters(shown)) return false;
      change(noFilters(), true);
      return true;
    },
    destroy: () => map.destroy(),
  };
}

/** The elements that are filled as the state changes. */
function overviewParts(run, state, map) {
  const canvas = h("div", { class: "map-canvas", role: "img", "aria-label": mapWords(run) });
  return {
    canvas,
    mapBox: h("div", { class: "map-box" }, canvas),
    toolbar: mapToolbar(run, state, map),
    legend: h("div", { class: "map-legend" }),
    tools: h("div", { class: "side-tools" }),
    filters: h("div", { class: "filters" }),
    selection: h("section", { class: "selection", "aria-label": "Selection", hidden: true }),
    cards: h("div", { class: "side-body" }),
  };
}

/** The map beside the cards. */
function overviewColumns({ mapBox, toolbar, legend, tools, filters, selection, cards }) {
  const head = (id, name, more) => h("div", { class: "pane-head" }, h("h2", { id }, name), more);
  const hint = "Items near each other mean nearly the same. Every cluster is in the list, too.";
  const left = [head("map-heading", "Map", toolbar.bar), mapBox, legend, h("p", { class: "map-hint" }, hint)];
  const right = [head("clusters-heading", "Clusters", tools), filters, selection, cards];
  return h(
    "div",
    { class: "split" },
    h("section", { class: "map-pane", "aria-labelledby": "map-heading" }, left),
    h("section", { class: "side", "aria-labelledby": "clusters-heading" }, right),
  );
}

function sortTools(run, state) {
  const options = Object.entries(SORTS).map(([key, [name]]) => [key, name]);
  const flat = h("input", {
    id: "flat",
    type: "checkbox",
    checked: !state.flat,
    on: { change: () => change({ flat: flat.checked ? "" : "1" }, true) },
  });
  return h(
    "div",
    { class: "sort-tools" },
    selectBox("sort", "Sort by", options, state.sort, (value) => change({ sort: value }, true)),
    run.grouped && h("label", { class: "check", for: "flat" }, flat, " By theme"),
  );
}
