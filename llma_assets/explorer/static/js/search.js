// Search through names, titles and, if asked, summaries.

const MOST_FOUND = 200;

const searchWords = (text) => text.toLowerCase().split(/\s+/).filter(Boolean);
const holdsAll = (text, words) => words.every((word) => text.includes(word));

function mountSearch(root, run, state) {
  const results = h("div", { class: "results" });
  let shown = state;
  let turn = 0;
  const deep = h("input", {
    id: "deep",
    type: "checkbox",
    checked: state.text === "1",
    on: { change: () => change({ text: deep.checked ? "1" : "" }, true) },
  });
  const filters = h("div", { class: "filters" });
  const heading = h("h1", {}, "Search");
  const tools = h("div", { class: "side-tools" });
  replaceChildren(
    root,
    breadcrumb(["Overview", { view: "overview" }], ["Search"]),
    heading,
    h(
      "div",
      { class: "pane-head" },
      h("label", { class: "check", for: "deep" }, deep, " Also look in the summaries"),
      tools,
    ),
    filters,
    results,
  );

  async function draw() {
    const mine = (turn += 1);
    const words = searchWords(shown.q);
    const mask = filterMask(run, shown);
    heading.textContent = shown.q ? `Search: ${visible(shown.q)}` : "Search";
    replaceChildren(filters, activeFilters(run, shown, mask));
    replaceChildren(tools, filterPanelKept(root, run, shown));
    if (!words.length && !mask) {
      replaceChildren(
        results,
        h("p", { class: "empty" }, "Type words above, or set a filter. All words must be there."),
      );
      return;
    }
    const inSummaries = shown.text === "1" && words.length ? await searchSummaries(run, words) : new Set();
    if (mine !== turn) return;
    showFound(run, words, mask, inSummaries, results);
  }
  draw();
  return {
    update(next) {
      shown = next;
      draw();
    },
    destroy() {
      turn += 1;
    },
  };
}

async function searchSummaries(run, words) {
  const found = new Set();
  for (let index = 0; index < run.count; index += 1) {
    const detail = await detailOf(run, index);
    const text = [...(detail?.bullets ?? []), ...(detail?.notes ?? [])]
      .map((point) => point.text)
      .join("\n")
      .toLowerCase();
    if (holdsAll(text, words)) found.add(index);
  }
  return found;
}

function showFound(run, words, mask, inSummaries, results) {
  const clusters = words.length
    ? run.clusters.filter((cluster) =>
        holdsAll(
          `${clusterTitle(cluster)} ${(cluster.keywords ?? []).join(" ")} ${cluster.description ?? ""}`.toLowerCase(),
          words,
        ),
      )
    : [];
  const items = Array.from({ length: run.count }, (_, index) => index).filter(
    (index) =>
      (!mask || mask[index]) &&
      (inSummaries.has(index) ||
        holdsAll(`${itemTitle(run, index)} ${run.items.id[index]} ${traceId(run, index)}`.toLowerCase(), words)),
  );
  announce(`${plural(clusters.length, "cluster")} and ${plural(items.length, itemNoun(run))} found`);
  replaceChildren(
    results,
    clusters.length > 0 &&
      h(
        "section",
        { class: "pane" },
        h("h2", {}, plural(clusters.length, "cluster")),
        h(
          "ul",
          { class: "item-lines", "data-list": true },
          clusters.map((cluster) =>
            h(
              "li",
              {},
              h(
                "a",
                {
                  class: "item-line",
                  href: linkTo({ view: "cluster", id: String(cluster.cluster_id) }),
                  "data-row": true,
                },
                swatch(hueOf(run, cluster, true)),
                h("span", { class: "item-line-title" }, marked(clusterTitle(cluster), words)),
                badgesOf(cluster),
                h("span", { class: "item-line-facts" }, plural(cluster.size, itemNoun(run))),
              ),
            ),
          ),
        ),
      ),
    items.length > 0 &&
      h(
        "section",
        { class: "pane" },
        h("h2", {}, plural(items.length, itemNoun(run))),
        h(
          "ul",
          { class: "item-lines", "data-list": true },
          items.slice(0, MOST_FOUND).map((index) => foundItem(run, index, words)),
        ),
        items.length > MOST_FOUND &&
          h("p", { class: "map-hint" }, `The first ${MOST_FOUND} are listed. Another word narrows it.`),
      ),
    !clusters.length &&
      !items.length &&
      h("p", { class: "empty" }, "Nothing found. Fewer words, or fewer filters, find more."),
  );
}

function foundItem(run, index, words) {
  const { items } = run;
  return h(
    "li",
    {},
    h(
      "a",
      { href: linkTo({ view: "item", id: items.id[index] }), class: "item-line", "data-row": true },
      h("span", { class: "item-line-title" }, marked(itemTitle(run, index), words)),
      items.errors[index] > 0 && h("span", { class: "badge badge-errors" }, "Errors"),
      h("span", { class: "item-line-facts" }, clusterTitle(run.clusterById.get(items.cluster[index]))),
    ),
  );
}

/** A text with the words that were found marked. */
function marked(text, words) {
  if (!words.length) return text;
  const parts = [];
  const low = text.toLowerCase();
  let at = 0;
  while (at < text.length) {
    const hits = words
      .map((word) => [low.indexOf(word, at), word.length])
      .filter(([place]) => place >= 0)
      .sort(([one, long], [other, short]) => one - other || short - long);
    if (!hits.length) break;
    const [place, length] = hits[0];
    parts.push(text.slice(at, place), h("mark", {}, text.slice(place, place + length)));
    at = place + length;
  }
  return [...parts, text.slice(at)];
}
