// The flow of an item: nodes in layers, drawn as SVG from checked nodes and edges.

const FLOW = { width: 176, height: 40, gapX: 28, gapY: 34, most: 30 };

/** Layers by the longest way from a start; an edge that would close a circle leads back and counts for none. */
function flowLayers(nodes, edges) {
  const next = new Map(nodes.map((node) => [node.id, []]));
  for (const [from, to] of edges) if (next.has(from) && next.has(to) && from !== to) next.get(from).push(to);
  const state = new Map();
  const order = [];
  const back = new Set();
  const visit = (id) => {
    state.set(id, "open");
    for (const to of next.get(id)) {
      if (state.get(to) === "open") back.add(`${id}\n${to}`);
      else if (!state.has(to)) visit(to);
    }
    state.set(id, "done");
    order.unshift(id);
  };
  for (const node of nodes) if (!state.has(node.id)) visit(node.id);
  const layer = new Map(nodes.map((node) => [node.id, 0]));
  for (const id of order) {
    for (const to of next.get(id))
      if (!back.has(`${id}\n${to}`)) layer.set(to, Math.max(layer.get(to), layer.get(id) + 1));
  }
  return { layer, back };
}

/** The diagram, and the same as a list for who cannot see it; null where there is none to draw. */
function flowDiagram(flow) {
  const nodes = (flow?.nodes ?? []).slice(0, FLOW.most);
  if (nodes.length < 2) return null;
  const { layer, back } = flowLayers(nodes, flow.edges ?? []);
  const { place, width, height } = flowPlaces(nodes, layer, back.size > 0);
  const shown = (flow.edges ?? []).filter(([from, to]) => place.has(from) && place.has(to) && from !== to);
  const names = new Map(nodes.map((node) => [node.id, node.label]));
  const isBack = (from, to) => back.has(`${from}\n${to}`);
  const edges = shown.map(([from, to]) =>
    s("path", {
      class: isBack(from, to) ? "flow-edge flow-back" : "flow-edge",
      d: edgePath(place.get(from), place.get(to), isBack(from, to)),
      "marker-end": "url(#arrow)",
    }),
  );
  const size = { viewBox: `0 0 ${width} ${height}`, width, height, preserveAspectRatio: "xMidYMin meet" };
  const boxes = nodes.map((node) => flowNode(node, place.get(node.id)));
  const words = shown.map(
    ([from, to, label]) => `${names.get(from)} leads to ${names.get(to)}${label ? ` (${label})` : ""}`,
  );
  return h(
    "figure",
    { class: "flow" },
    s("svg", { ...size, "aria-hidden": "true" }, flowArrow(), edges, boxes),
    h("figcaption", { class: "visually-hidden" }, `Steps: ${words.join("; ")}`),
  );
}

/** Where each node stands: layers from the top, each in the middle; room at the right for edges that lead back. */
function flowPlaces(nodes, layer, hasBack) {
  const [wide, high] = [FLOW.width + FLOW.gapX, FLOW.height + FLOW.gapY];
  const rows = [];
  for (const node of nodes) (rows[layer.get(node.id)] ??= []).push(node);
  const widest = Math.max(...rows.map((row) => row.length));
  const place = new Map();
  rows.forEach((row, y) =>
    row.forEach((node, x) => {
      place.set(node.id, [((widest - row.length) / 2 + x) * wide + FLOW.gapX / 2, 4 + y * high]);
    }),
  );
  return { place, width: widest * wide + (hasBack ? 36 : 0), height: rows.length * high - FLOW.gapY + 8 };
}

function flowArrow() {
  const head = s("path", { class: "flow-arrow", d: "M0,0 L8,4 L0,8 z" });
  const size = { viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7 };
  return s("defs", {}, s("marker", { id: "arrow", orient: "auto-start-reverse", ...size }, head));
}

function edgePath([fromX, fromY], [toX, toY], isBack) {
  const { width, height } = FLOW;
  if (isBack) {
    const right = Math.max(fromX, toX) + width + 22;
    const [startY, endY] = [fromY + height / 2, toY + height / 2];
    return `M${fromX + width},${startY} C${right},${startY} ${right},${endY} ${toX + width + 2},${endY}`;
  }
  const [startX, startY, endX, endY] = [fromX + width / 2, fromY + height, toX + width / 2, toY - 2];
  const bend = (endY - startY) / 2;
  return `M${startX},${startY} C${startX},${startY + bend} ${endX},${endY - bend} ${endX},${endY}`;
}

const FLOW_KINDS = new Set(["start", "tool", "step", "folded"]);

function flowNode(node, [x, y]) {
  const kind = FLOW_KINDS.has(node.kind) ? node.kind : "step";
  const lines = wrapLabel(node.label, 25);
  const first = y + FLOW.height / 2 + 4 - (lines.length - 1) * 7;
  return s(
    "g",
    { class: `flow-node flow-${kind}` },
    s("rect", { x, y, width: FLOW.width, height: FLOW.height, rx: kind === "start" ? 20 : 7 }),
    lines.map((line, index) =>
      s("text", { x: x + FLOW.width / 2, y: first + index * 14, "text-anchor": "middle" }, line),
    ),
  );
}

/** A label on two lines at most. */
function wrapLabel(label, most) {
  if (label.length <= most) return [label];
  const at = label.lastIndexOf(" ", most);
  const cut = at > most / 3 ? at : most;
  const rest = label.slice(cut).trim();
  return [label.slice(0, cut), rest.length > most ? `${rest.slice(0, most - 1)}…` : rest];
}
