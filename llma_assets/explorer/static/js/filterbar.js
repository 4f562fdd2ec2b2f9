// The filters: a panel to set them, and each one that is set with a button that takes it off.

function filterPanel(run, state) {
  const set = (name) => (value) => change({ [name]: value, page: "" }, true);
  const options = (values, all) => [["", all], ...values.map((value) => [value, value])];
  const atLeast = (name, label, unit) => {
    const box = h("input", {
      id: `filter-${name}`,
      type: "number",
      min: 0,
      step: "any",
      value: state[name],
      on: { change: () => set(name)(box.value) },
    });
    return h(
      "label",
      { class: "field", for: `filter-${name}` },
      h("span", { class: "field-name" }, label),
      h("span", { class: "with-unit" }, h("span", {}, unit), box),
    );
  };
  const errors = h("input", {
    id: "filter-errors",
    type: "checkbox",
    checked: state.errors === "1",
    on: { change: () => set("errors")(errors.checked ? "1" : "") },
  });
  const active = FILTERS.filter((name) => state[name] !== "").length;
  return h(
    "details",
    { class: "panel", "data-panel": true },
    h("summary", { class: "button" }, active ? `Filter (${active})` : "Filter"),
    h(
      "div",
      { class: "panel-body" },
      h("label", { class: "check", for: "filter-errors" }, errors, " Only with errors"),
      atLeast("cost", "Cost at least", "$"),
      atLeast("latency", "Latency at least", "s"),
      run.models.length > 0 &&
        selectBox("filter-model", "Model", options(run.models, "any"), state.model, set("model")),
      run.tools.length > 0 &&
        selectBox("filter-tool", "Tool called", options(run.tools, "any"), state.tool, set("tool")),
      run.days.length > 1 &&
        selectBox(
          "filter-day",
          "Day",
          [["", "any"], ...run.days.map((day) => [day, formatDay(day)])],
          state.day,
          set("day"),
        ),
    ),
  );
}

/** The filters that are set, with how many items they leave. */
function activeFilters(run, state, mask) {
  if (!mask) return null;
  const left = sumOf(mask);
  return h(
    "div",
    { class: "active-filters" },
    h("span", { class: "active-count" }, `${formatInteger(left)} of ${plural(run.count, itemNoun(run))}`),
    filterWords(run, state).map(([name, words]) =>
      button(
        [words, h("span", { "aria-hidden": "true", class: "cross" }, "×")],
        () => change({ [name]: "", page: "" }, true),
        { class: "chip", "aria-label": `Remove the filter: ${words}` },
      ),
    ),
    button("Clear all", () => change({ ...noFilters(), page: "" }, true), { class: "button button-quiet" }),
  );
}

/** The filter panel anew; it stays open and keeps the focus if it had it. */
function filterPanelKept(root, run, state) {
  const before = root.querySelector("details[data-panel]");
  const focus = before?.contains(document.activeElement) ? document.activeElement.id : "";
  const panel = filterPanel(run, state);
  panel.open = before?.open ?? false;
  if (focus) queueMicrotask(() => document.getElementById(focus)?.focus());
  return panel;
}
