// The bar on top: where this is from, which run, search, comparing, light or dark.

const runLabel = (run) => `${run.job_name}`;

/** Draws the bar; the search field stays the same element, so that who types keeps the caret. */
function drawHeader(state, run) {
  const bar = document.getElementById("topbar");
  if (!bar.querySelector("form")) {
    bar.append(
      h("div", { class: "run-chooser" }),
      searchForm(),
      h("nav", { class: "places", "aria-label": "Views" }),
      themeSwitch(),
    );
  }
  replaceChildren(bar.querySelector(".run-chooser"), runChooser(run));
  replaceChildren(bar.querySelector(".places"), headerLinks(state, run));
  const box = document.getElementById("search-box");
  // Only where the address has other words than before: what is being typed is not in it yet.
  if (box.dataset.words !== state.q) {
    if (document.activeElement !== box) box.value = state.q;
    box.dataset.words = state.q;
  }
}

function runChooser(run) {
  if (REPORT.runs.length < 2) return null;
  const options = REPORT.runs.map((one) => [
    one.run_id,
    `${runLabel(one)}${one.status === "clustered" ? "" : " (skipped)"}`,
  ]);
  return selectBox("run", "Run", options, run.run_id, (value) => {
    location.hash = hashOf({ ...DEFAULTS, run: value });
  });
}

function searchForm() {
  const box = h("input", {
    id: "search-box",
    type: "search",
    placeholder: "Search names and titles",
    autocomplete: "off",
    spellcheck: "false",
    "aria-label": "Search names and titles",
    "aria-keyshortcuts": "/",
  });
  const look = (replace) => {
    if (!box.value.trim() && currentState().view !== "search") return;
    const kept = currentState();
    if (kept.view === "search") change({ q: box.value.trim() }, true);
    else if (replace) go({ view: "search", q: box.value.trim() });
  };
  const soon = debounce(() => look(true), 180);
  box.addEventListener("input", soon);
  return h(
    "form",
    {
      class: "search",
      role: "search",
      on: {
        submit: (event) => {
          event.preventDefault();
          look(true);
          document.getElementById("main").focus();
        },
      },
    },
    box,
    h("kbd", { "aria-hidden": "true" }, "/"),
  );
}

function headerLinks(state, run) {
  const places = [
    ["overview", "Overview"],
    ["compare", "Compare"],
  ].filter(([view]) => view !== "compare" || run.earlier?.length);
  return places.map(([view, name]) =>
    h("a", { href: linkTo({ view }), "aria-current": state.view === view ? "page" : null }, name),
  );
}

function themeSwitch() {
  const next = () => (activeTheme() === "dark" ? "light" : "dark");
  const toggle = button(
    "",
    () => {
      setTheme(next());
      name();
      remember("theme", chosenTheme);
      remount();
    },
    { class: "button button-quiet theme-switch" },
  );
  const name = () => {
    toggle.textContent = next() === "dark" ? "☾" : "☀";
    toggle.setAttribute("aria-label", next() === "dark" ? "Dark colours" : "Light colours");
  };
  name();
  themeQuery.addEventListener("change", () => {
    name();
    remount();
  });
  return toggle;
}

function setTheme(theme) {
  chosenTheme = theme === "dark" || theme === "light" ? theme : "";
  if (chosenTheme) document.documentElement.setAttribute("data-theme", chosenTheme);
}

/** What a browser may keep for a file is its own affair: where it keeps nothing, the choice lasts until the page closes. */
function remember(name, value) {
  try {
    localStorage.setItem(`llma-explorer-${name}`, value);
  } catch {
    /* The choice is not kept. */
  }
}

function remembered(name) {
  try {
    return localStorage.getItem(`llma-explorer-${name}`) ?? "";
  } catch {
    return "";
  }
}
