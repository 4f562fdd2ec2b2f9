// The keyboard: `/` to search, arrows within lists, Escape to leave.

function listenToKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.closest?.("input:not([type=checkbox]):not([type=radio]), textarea, select");
    if (event.key === "/" && !typing) {
      event.preventDefault();
      document.getElementById("search-box")?.focus();
    } else if (event.key === "Escape") {
      leave(typing);
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && !typing) {
      moveInList(event);
    }
  });
}

/** Closes what lies on top: an open panel, a field, a selection, then the page within the report. */
function leave(typing) {
  const panel = document.querySelector("details[open][data-panel]");
  if (panel) {
    panel.open = false;
    panel.querySelector("summary").focus();
  } else if (typing) {
    typing.blur();
  } else if (currentView?.escape?.()) {
    return;
  } else if (currentState().view === "item") {
    const run = runOf(currentState());
    const index = run.itemById?.get(currentState().id);
    if (index !== undefined) go({ view: "cluster", id: String(run.items.cluster[index]) });
  } else if (currentState().view !== "overview") {
    go({ view: "overview" });
  }
}

function moveInList(event) {
  const list = event.target.closest?.("[data-list]");
  if (!list) return;
  const places = [...list.querySelectorAll("[data-row]")].filter((place) => place.getClientRects().length);
  const at = places.indexOf(event.target.closest("[data-row]"));
  const next = places[at + (event.key === "ArrowDown" ? 1 : -1)];
  if (at < 0 || !next) return;
  event.preventDefault();
  next.focus();
}
