// What stands around the map: colours, legend, tools, and the note beside a point.

const COLOR_NAMES = {
  theme: "Theme",
  cluster: "Cluster",
  errors: "Errors",
  cost: "Cost",
  latency: "Latency",
  day: "Day",
};

function colorChoices(run) {
  return COLORS.filter((color) => color !== "theme" || run.themes.length).map((color) => [color, COLOR_NAMES[color]]);
}

/** The toolbar over the map. */
function mapToolbar(run, state, map) {
  const tool = (kind, label, hint) =>
    button(label, () => map().pick(tools[kind].getAttribute("aria-pressed") === "true" ? "" : kind), {
      class: "button button-small",
      "aria-pressed": "false",
      "aria-label": hint,
    });
  const tools = { polygon: null, rect: null };
  tools.polygon = tool("polygon", "Lasso", "Draw around items to list them");
  tools.rect = tool("rect", "Box", "Draw a box around items to list them");
  const color = selectBox("map-color", "Colour by", colorChoices(run), state.color, (value) =>
    change({ color: value }, true),
  );
  const bar = h(
    "div",
    { class: "map-tools", role: "group", "aria-label": "Map" },
    color,
    h(
      "div",
      { class: "map-buttons" },
      tools.polygon,
      tools.rect,
      button("−", () => map().zoom(1 / 1.6), { class: "button button-small", "aria-label": "Zoom out" }),
      button("+", () => map().zoom(1.6), { class: "button button-small", "aria-label": "Zoom in" }),
      button("Reset", () => map().reset(), { class: "button button-small", "aria-label": "Show the whole map" }),
    ),
  );
  const pressed = (kind) => {
    for (const [name, element] of Object.entries(tools)) element.setAttribute("aria-pressed", String(name === kind));
  };
  return { bar, pressed };
}

/** What the colours mean. */
function legendOf(run, color, mask) {
  const groups = colorGroups(run, color);
  const count = (group) => (mask ? group.indices.filter((index) => mask[index]).length : group.indices.length);
  return h(
    "ul",
    { class: "legend", "aria-label": `Colours: ${COLOR_NAMES[color].toLowerCase()}` },
    groups.map((group) =>
      h(
        "li",
        {},
        swatch(group.color, `swatch swatch-${group.symbol}`),
        h("span", { class: "legend-name" }, group.name),
        h("span", { class: "legend-count" }, formatInteger(count(group))),
      ),
    ),
  );
}

/** The note beside a point. It is for the eye; the same stands in the lists. */
function createNote(box) {
  const note = h("div", { class: "note", "aria-hidden": "true", hidden: true });
  box.append(note);
  return {
    show(run, index, [x, y]) {
      const cluster = run.clusterById.get(run.items.cluster[index]);
      const { items } = run;
      const facts = [formatTime(items.t[index]), formatMoney(items.cost[index]), formatSeconds(items.latency[index])];
      if (items.errors[index]) facts.push(plural(items.errors[index], "error"));
      replaceChildren(
        note,
        h("p", { class: "note-title" }, itemTitle(run, index)),
        h("p", { class: "note-cluster" }, swatch(hueOf(run, cluster, run.themes.length > 0)), clusterTitle(cluster)),
        h("p", { class: "note-facts" }, facts.filter((text) => text !== NONE).join("  ·  ")),
      );
      note.hidden = false;
      const right = x + 18 + note.offsetWidth > box.clientWidth;
      const left = Math.max(4, right ? x - 16 - note.offsetWidth : x + 16);
      const top = Math.min(Math.max(4, y - note.offsetHeight / 2), box.clientHeight - note.offsetHeight - 4);
      note.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
    },
    hide() {
      note.hidden = true;
    },
  };
}
