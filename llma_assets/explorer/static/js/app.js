// The start, and the way from the address to a view.

let currentView = null;
let currentKey = "";
const scrolled = new Map();

const MOUNTS = {
  overview: mountOverview,
  cluster: mountCluster,
  item: mountItem,
  search: mountSearch,
  compare: mountCompare,
};
const TITLES = {
  overview: () => "Overview",
  cluster: (run, state) =>
    clusterTitle(run.clusterById.get(Number(state.id)) ?? { cluster_id: state.id, title: `Cluster ${state.id}` }),
  item: (run, state) => (run.itemById.has(state.id) ? itemTitle(run, run.itemById.get(state.id)) : "Item"),
  search: () => "Search",
  compare: () => "Compare",
};

// The chart library empties its box by setting it to no markup; nothing else may be set as markup.
if (window.trustedTypes) {
  trustedTypes.createPolicy("default", { createHTML: (text) => (text === "" ? "" : null) });
}

function show() {
  const state = currentState();
  const run = runOf(state);
  const main = document.getElementById("main");
  if (!run) {
    replaceChildren(
      main,
      h("h1", {}, "Nothing to show"),
      h("p", { class: "empty" }, "This day has no clustering run."),
    );
    return;
  }
  const key = [state.view, run.run_id, ["cluster", "item"].includes(state.view) ? state.id : ""].join("\n");
  drawHeader(state, run);
  if (key === currentKey) {
    currentView.update(state);
    return;
  }
  if (currentKey) scrolled.set(currentKey, scrollY);
  currentView?.destroy();
  const first = currentKey === "";
  currentKey = key;
  main.className = `view-${run.status === "clustered" ? state.view : "skipped"}`;
  main.replaceChildren();
  currentView = run.status === "clustered" ? MOUNTS[state.view](main, run, state) : mountSkipped(main, run);
  document.title = `${run.status === "clustered" ? TITLES[state.view](run, state) : "Skipped"} · ${REPORT.team} · ${REPORT.date}`;
  scrollTo(0, scrolled.get(key) ?? 0);
  // Who listens hears where they are; who types into the search keeps typing.
  if (!first && document.activeElement?.id !== "search-box") main.focus({ preventScroll: true });
}

/** The same place in other colours: charts take theirs when they are made. */
function remount() {
  scrolled.set(currentKey, scrollY);
  currentKey = "";
  show();
}

function mountSkipped(root, run) {
  replaceChildren(
    root,
    h("h1", {}, "Not clustered"),
    h("p", { class: "hero-facts" }, runLabel(run)),
    h(
      "p",
      { class: "warning", role: "note" },
      h("strong", {}, "Reason: "),
      (run.reason ?? "unknown").replaceAll("_", " "),
    ),
    h(
      "p",
      { class: "empty" },
      "Other runs of this day are in the list above. A later day, or more items, may hold enough.",
    ),
  );
  return { update() {}, destroy() {} };
}

setTheme(remembered("theme"));
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  document.getElementById("main").focus();
});
listenToKeys();
addEventListener("hashchange", show);
show();
