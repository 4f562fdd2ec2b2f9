// The map: every item a point, near where it means nearly the same. Drawn by ECharts; hovering is ours, because
// one look through all points is quicker than events on each.

const REACH_PX = 14;
const mapMemory = new Map();

/**
 * A map in `box`.
 * @param handlers open(index), select(indices), hover(index or -1), openCluster(id)
 * @returns {update, highlight, zoom, reset, pick, clear, destroy}
 */
function createMap(box, run, handlers, { focus = null } = {}) {
  const chart = Charts.init(box, null, { renderer: "canvas" });
  const map = { chart, run, box, handlers, focus, mask: null, color: "theme", hovered: -1, bright: null, picking: "" };
  map.ring = new Charts.graphic.Circle({
    shape: { r: 7 },
    silent: true,
    invisible: true,
    z: 100,
    style: { fill: "none", lineWidth: 2.5 },
  });
  chart.getZr().add(map.ring);
  listenToMouse(map);
  const resize = new ResizeObserver(() => {
    chart.resize();
    drawMap(map);
  });
  resize.observe(box);
  return {
    update(color, mask) {
      map.color = color;
      map.mask = mask;
      drawMap(map);
    },
    highlight(cluster) {
      if (map.bright !== cluster) {
        map.bright = cluster;
        drawHighlight(map);
      }
    },
    zoom(factor) {
      zoomBy(map, factor);
    },
    reset() {
      zoomTo(map, 0, 100, 0, 100);
    },
    pick(kind) {
      pickArea(map, kind);
    },
    clear() {
      chart.dispatchAction({ type: "brush", areas: [] });
    },
    destroy() {
      resize.disconnect();
      chart.dispose();
    },
  };
}

function inkOf(box) {
  const style = getComputedStyle(box);
  return {
    ink: style.getPropertyValue("--ink").trim(),
    ground: style.getPropertyValue("--surface").trim(),
    font: style.fontFamily,
  };
}

/** The series of points, one a colour; what the filters leave out lies muted below. */
function pointSeries(map) {
  const { run, mask } = map;
  const at = (index) => [run.items.x[index], run.items.y[index]];
  const base = {
    type: "scatter",
    large: true,
    largeThreshold: 1,
    progressive: 0,
    silent: true,
    animation: false,
    clip: true,
  };
  const groups = colorGroups(run, map.color);
  const left = mask ? Array.from({ length: run.count }, (_, index) => index).filter((index) => !mask[index]) : [];
  const muted = {
    ...base,
    id: "muted",
    data: left.map(at),
    symbolSize: 4,
    z: 1,
    itemStyle: { color: MUTED[activeTheme()], opacity: 0.35 },
  };
  return [
    muted,
    ...groups.map((group, place) => ({
      ...base,
      id: `group${place}`,
      data: (mask ? group.indices.filter((index) => mask[index]) : group.indices).map(at),
      symbol: group.symbol === "emptyCircle" ? "circle" : group.symbol,
      symbolSize: group.size + (run.count > 2500 ? -1.5 : run.count < 500 ? 2 : 0),
      z: group.symbol === "emptyCircle" ? 2 : 3,
      itemStyle: {
        color: group.color,
        opacity: map.bright === null ? (group.symbol === "emptyCircle" ? 0.55 : 0.85) : 0.16,
      },
    })),
  ];
}

/** What is named on the map: themes from afar, clusters from near. */
function namesOnMap(run, far) {
  return far
    ? run.themes.map((theme) => {
        const clusters = run.clusters.filter((cluster) => cluster.theme_id === theme.theme_id);
        return {
          title: theme.title,
          size: theme.size,
          indices: clusters.flatMap((cluster) => run.members.get(cluster.cluster_id)),
        };
      })
    : run.clusters
        .filter((cluster) => !isNoise(cluster))
        .map((cluster) => ({
          title: clusterTitle(cluster),
          size: cluster.size,
          indices: run.members.get(cluster.cluster_id),
          cluster: cluster.cluster_id,
        }));
}

/** Names on the map: of themes from afar, of clusters from near; where two would overlap the larger stays. */
function labelSeries(map) {
  const { run } = map;
  const { ink, ground, font } = inkOf(map.box);
  const far = map.color !== "cluster" && run.grouped && run.clusters.length > 12 && zoomOf(map) < 1.5;
  const names = namesOnMap(run, far);
  const shown = (name) =>
    (map.focus === null || name.cluster === map.focus) && name.indices.some((index) => !map.mask || map.mask[index]);
  const data = names.filter(shown).map((name) => ({
    value: labelPlace(run, name.indices),
    name: labelText(name.title),
    cluster: name.cluster,
    symbolSize: Math.sqrt(name.size),
  }));
  return {
    type: "scatter",
    id: "labels",
    z: 20,
    animation: false,
    cursor: "pointer",
    symbol: "circle",
    itemStyle: { color: "transparent" },
    labelLayout: ({ dataIndex, labelRect }) => ({
      hideOverlap: true,
      ...intoView(map, data[dataIndex].value, labelRect),
    }),
    data,
    label: {
      show: map.bright === null,
      formatter: (point) => point.name,
      color: ink,
      fontFamily: font,
      fontSize: far ? 13 : 12,
      fontWeight: far ? 650 : 550,
      minMargin: 6,
      lineHeight: 15,
      align: "center",
      position: "top",
      distance: 7,
      textBorderColor: ground,
      textBorderWidth: 4,
    },
    emphasis: { disabled: true },
  };
}

/** How far a name has to move to be read whole where its place is in view. */
function intoView(map, place, { width, height }) {
  const [x, y] = toPixel(map)(place);
  const [wide, high] = [map.box.clientWidth, map.box.clientHeight];
  if (x < 0 || y < 0 || x > wide || y > high) return { dx: 0, dy: 0 };
  const [left, top] = [x - width / 2, y - height - 14];
  return { dx: Math.max(4 - left, 0) + Math.min(wide - 4 - left - width, 0), dy: Math.max(4 - top, 0) };
}

function drawMap(map) {
  const { chart, run, box } = map;
  if (!box.clientWidth || !box.clientHeight) return;
  const extent = extentOf(run, box.clientWidth, box.clientHeight);
  const zoom = mapMemory.get(run.run_id) ?? [0, 100, 0, 100];
  const [x0, x1, y0, y1] = map.focus === null ? zoom : [0, 100, 0, 100];
  const axis = { type: "value", show: false };
  const inside = { type: "inside", filterMode: "none", throttle: 16, zoomLock: map.focus !== null, minSpan: 2 };
  chart.setOption(
    {
      animation: false,
      grid: { left: 0, right: 0, top: 0, bottom: 0 },
      xAxis: { ...axis, min: extent.left, max: extent.right },
      yAxis: { ...axis, min: extent.low, max: extent.high },
      dataZoom:
        map.focus === null
          ? [
              { ...inside, id: "x", xAxisIndex: 0, start: x0, end: x1 },
              { ...inside, id: "y", yAxisIndex: 0, start: y0, end: y1 },
            ]
          : [],
      brush: {
        xAxisIndex: 0,
        yAxisIndex: 0,
        seriesIndex: [],
        brushStyle: { color: "rgba(47,107,208,0.12)", borderColor: "#2f6bd0", borderWidth: 1.5 },
        throttleType: "debounce",
      },
      series: [...pointSeries(map), highlightSeries(map), labelSeries(map)],
    },
    { replaceMerge: ["series"] },
  );
  moveRing(map);
}

function highlightSeries(map) {
  const { run, bright } = map;
  const cluster = bright === null ? null : run.clusterById.get(bright);
  const members = cluster ? run.members.get(bright) : [];
  return {
    type: "scatter",
    id: "bright",
    large: true,
    largeThreshold: 1,
    progressive: 0,
    silent: true,
    animation: false,
    z: 10,
    symbolSize: run.count > 2500 ? 7 : 10,
    data: members.map((index) => [run.items.x[index], run.items.y[index]]),
    itemStyle: { color: cluster ? hueOf(run, cluster, map.color !== "cluster") : "transparent", opacity: 0.95 },
  };
}

/** A cluster stands out, the others step back. */
function drawHighlight(map) {
  map.chart.setOption({
    series: [
      ...pointSeries(map).map(({ id, itemStyle }) => ({ id, itemStyle })),
      highlightSeries(map),
      { id: "labels", label: { show: map.bright === null } },
    ],
  });
}

// Zooming and panning.

const zoomOf = (map) => 100 / Math.max(0.1, zoomRange(map)[1] - zoomRange(map)[0]);
const zoomRange = (map) => mapMemory.get(map.run.run_id) ?? [0, 100, 0, 100];

function zoomTo(map, x0, x1, y0, y1) {
  map.chart.dispatchAction({
    type: "dataZoom",
    batch: [
      { dataZoomId: "x", start: x0, end: x1 },
      { dataZoomId: "y", start: y0, end: y1 },
    ],
  });
}

function zoomBy(map, factor) {
  const [x0, x1, y0, y1] = zoomRange(map);
  const narrow = (from, to) => {
    const half = Math.min(50, Math.max(1, (to - from) / 2 / factor));
    const middle = Math.min(100 - half, Math.max(half, (from + to) / 2));
    return [middle - half, middle + half];
  };
  zoomTo(map, ...narrow(x0, x1), ...narrow(y0, y1));
}

// The mouse.

function listenToMouse(map) {
  const { chart, handlers } = map;
  const zr = chart.getZr();
  const relabel = debounce(() => chart.isDisposed() || chart.setOption({ series: [labelSeries(map)] }), 120);
  let far = zoomOf(map) < 1.5;
  chart.on("datazoom", () => {
    const [x, y] = chart.getOption().dataZoom;
    mapMemory.set(map.run.run_id, [x.start, x.end, y.start, y.end]);
    moveRing(map);
    if (far !== zoomOf(map) < 1.5) {
      far = !far;
      relabel();
    }
  });
  let pressed = null;
  zr.on("mousedown", (event) => {
    pressed = [event.offsetX, event.offsetY];
  });
  zr.on("mousemove", (event) => {
    if (map.picking || event.event.buttons) return;
    hoverAt(map, event);
  });
  zr.on("globalout", () => setHovered(map, -1));
  zr.on("click", (event) => {
    const moved = pressed && Math.hypot(event.offsetX - pressed[0], event.offsetY - pressed[1]) > 4;
    if (moved || map.picking) return;
    hoverAt(map, event);
    if (map.hovered >= 0) handlers.open(map.hovered);
  });
  chart.on("click", { seriesId: "labels" }, (event) => {
    if (event.data.cluster !== undefined && map.hovered < 0) handlers.openCluster(event.data.cluster);
  });
  chart.on("brushEnd", (event) => {
    pickArea(map, "");
    const area = event.areas[0];
    if (area) handlers.select(itemsWithin(map.run, area));
  });
}

const toPixel = (map) => (point) => map.chart.convertToPixel({ gridIndex: 0 }, point);

function hoverAt(map, event) {
  const found = nearestItem(map.run, toPixel(map), event.offsetX, event.offsetY, REACH_PX, map.mask);
  map.chart.getZr().setCursorStyle(found >= 0 ? "pointer" : "grab");
  setHovered(map, found);
}

function setHovered(map, index) {
  if (map.hovered === index) return;
  map.hovered = index;
  moveRing(map);
  map.handlers.hover(index, index < 0 ? null : toPixel(map)([map.run.items.x[index], map.run.items.y[index]]));
}

function moveRing(map) {
  if (map.hovered < 0) {
    map.ring.attr("invisible", true);
    return;
  }
  const [cx, cy] = toPixel(map)([map.run.items.x[map.hovered], map.run.items.y[map.hovered]]);
  map.ring.attr({ invisible: false, shape: { cx, cy }, style: { stroke: inkOf(map.box).ink } });
}

/** Turns on drawing an area: `polygon` (a lasso), `rect`, or nothing. */
function pickArea(map, kind) {
  map.picking = kind;
  map.chart.dispatchAction({
    type: "takeGlobalCursor",
    key: "brush",
    brushOption: { brushType: kind || false, brushMode: "single" },
  });
  map.handlers.picking?.(kind);
}
