// Where the reader is: all of it is in the address after `#`, so that a link, back and forward lead there again.

const DEFAULTS = {
  view: "overview",
  run: "",
  id: "",
  line: "",
  q: "",
  text: "",
  color: "theme",
  sort: "size",
  flat: "",
  theme: "",
  errors: "",
  cost: "",
  latency: "",
  model: "",
  tool: "",
  day: "",
  page: "",
  order: "rank",
  with: "",
  level: "",
};
const VIEWS = new Set(["overview", "cluster", "item", "search", "compare"]);
const COLORS = ["theme", "cluster", "errors", "cost", "latency", "day"];
const FILTERS = ["errors", "cost", "latency", "model", "tool", "day", "theme"];

/** What an address says; whatever it does not know is left at its default. */
function parseHash(hash) {
  const text = hash.replace(/^#/, "");
  // `#level=generation` is short for the overview of the first run of that level.
  const [view, query = ""] = text.includes("?") ? text.split("?") : text.includes("=") ? ["", text] : [text];
  const state = { ...DEFAULTS };
  if (VIEWS.has(view)) state.view = view;
  for (const [name, value] of new URLSearchParams(query)) {
    if (name in DEFAULTS && name !== "view") state[name] = value;
  }
  if (!COLORS.includes(state.color)) state.color = DEFAULTS.color;
  return state;
}

/** The address of a state. It begins with `#` whatever the state holds. */
function hashOf(state) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(state)) {
    if (name !== "view" && name in DEFAULTS && value !== "" && value !== DEFAULTS[name]) query.set(name, value);
  }
  const text = query.toString();
  return `#${state.view}${text ? `?${text}` : ""}`;
}

const currentState = () => parseHash(location.hash);

/** The address of another place; the run, the colours and the filters are kept unless told otherwise. */
function linkTo(changes) {
  const now = currentState();
  const kept = { run: now.run, color: now.color, sort: now.sort, flat: now.flat };
  for (const name of FILTERS) kept[name] = now[name];
  return hashOf({ ...DEFAULTS, ...kept, ...changes });
}

/** Goes to where the present place changed by `changes` is; `replace` leaves no step to go back to. */
function change(changes, replace = false) {
  const hash = hashOf({ ...currentState(), ...changes });
  if (hash === (location.hash || "#overview")) return;
  if (replace) location.replace(hash);
  else location.hash = hash;
}

/** Goes to another place, as `linkTo` makes it. */
function go(changes) {
  location.hash = linkTo(changes);
}
