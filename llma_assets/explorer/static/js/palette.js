// Colours of the map. Hues are told apart by the colour-blind in pairs of blue and orange, light and dark; no
// colour stands alone: clusters carry their names, errors their shape, steps their legend.

const HUES = {
  light: ["#2f6bd0", "#c2620a", "#12857a", "#b03a88", "#7a6b06", "#5a48b5", "#c23b35", "#4a8420", "#0b83ab", "#85573a"],
  dark: ["#7fabff", "#f3a75c", "#57c9b8", "#ea8fca", "#cdbc52", "#aa9df5", "#f58d84", "#9fce69", "#62c9ec", "#cda083"],
};
const STEPS = {
  light: ["#a9cbe0", "#6fafcc", "#3f8bb0", "#2b6494", "#243f78", "#1c1a4e"],
  dark: ["#34506f", "#376f94", "#3d96aa", "#58bea0", "#9fdf87", "#f6f390"],
};
const MUTED = { light: "#a3a8b1", dark: "#6b7381" };
const ERROR = { light: "#c22f2a", dark: "#ff8379" };

const themeQuery = matchMedia("(prefers-color-scheme: dark)");
let chosenTheme = "";

const activeTheme = () => chosenTheme || (themeQuery.matches ? "dark" : "light");

/** The rank of a cluster's colour: by its theme, or where there is none by its own id. */
function hueOf(run, cluster, byTheme) {
  if (isNoise(cluster)) return MUTED[activeTheme()];
  const hues = HUES[activeTheme()];
  const themes = run.themes.map((theme) => theme.theme_id);
  const place = byTheme && themes.length ? themes.indexOf(cluster.theme_id) : run.clusters.indexOf(cluster);
  return place < 0 ? MUTED[activeTheme()] : hues[place % hues.length];
}

/** Bounds between six steps that hold about as many values each; fewer where values repeat. */
function quantileBounds(values, steps) {
  const sorted = values.filter((value) => value !== null).sort((one, other) => one - other);
  if (!sorted.length) return [];
  const bounds = [];
  for (let step = 1; step < steps; step += 1) bounds.push(sorted[Math.floor((step * sorted.length) / steps)]);
  return [...new Set(bounds)].filter((bound) => bound > sorted[0]);
}

/** Groups of items that share a colour: [{name, color, symbol, size, indices}], in the order of the legend. */
function colorGroups(run, color) {
  const theme = activeTheme();
  const of = (test) => Array.from({ length: run.count }, (_, index) => index).filter(test);
  if (color === "errors") {
    return [
      { name: "no error", color: MUTED[theme], symbol: "circle", size: 6, indices: of((i) => !run.items.errors[i]) },
      {
        name: "with errors",
        color: ERROR[theme],
        symbol: "diamond",
        size: 10,
        indices: of((i) => run.items.errors[i] > 0),
      },
    ];
  }
  if (color === "cost" || color === "latency") return stepGroups(run, color);
  if (color === "day") {
    return run.days.map((day, place) => ({
      name: formatDay(day),
      color: stepColor(place, run.days.length),
      symbol: "circle",
      size: 7,
      indices: of((i) => dayOf(run.items.t[i]) === day),
    }));
  }
  return clusterGroups(run, color === "theme" && run.themes.length > 0);
}

const stepColor = (place, count) => STEPS[activeTheme()][count < 2 ? 3 : Math.round((place * 5) / (count - 1))];

function stepGroups(run, color) {
  const values = run.items[color];
  const format = color === "cost" ? formatMoney : formatSeconds;
  const bounds = quantileBounds(values, 6);
  const groups = [...bounds, Infinity].map((bound, place) => ({
    name: place === bounds.length ? `${format(bounds.at(-1) ?? 0)} and more` : `under ${format(bound)}`,
    color: stepColor(place, bounds.length + 1),
    symbol: "circle",
    size: 7,
    indices: [],
  }));
  const unknown = { name: "unknown", color: MUTED[activeTheme()], symbol: "emptyCircle", size: 6, indices: [] };
  values.forEach((value, index) => {
    if (value === null) unknown.indices.push(index);
    else groups[bounds.filter((bound) => value >= bound).length].indices.push(index);
  });
  return unknown.indices.length ? [...groups, unknown] : groups;
}

function clusterGroups(run, byTheme) {
  const groups = new Map();
  for (const cluster of run.clusters) {
    const key = isNoise(cluster) ? "noise" : byTheme ? `t${cluster.theme_id}` : `c${cluster.cluster_id}`;
    const name = isNoise(cluster)
      ? "Outliers"
      : byTheme
        ? (run.themeById.get(cluster.theme_id)?.title ?? "No theme")
        : clusterTitle(cluster);
    if (!groups.has(key)) {
      const noise = isNoise(cluster);
      groups.set(key, {
        name,
        color: hueOf(run, cluster, byTheme),
        symbol: noise ? "emptyCircle" : "circle",
        size: noise ? 6 : 7,
        indices: [],
      });
    }
    for (const index of run.members.get(cluster.cluster_id)) groups.get(key).indices.push(index);
  }
  const order = byTheme ? ["noise"] : [];
  return [...groups.entries()]
    .sort(([one], [other]) => order.indexOf(one) - order.indexOf(other))
    .map(([, group]) => group);
}
