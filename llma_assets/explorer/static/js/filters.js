// Which items a reader wants to see.

const hasFilters = (state) => FILTERS.some((name) => state[name] !== "");
const noFilters = () => Object.fromEntries(FILTERS.map((name) => [name, ""]));

/** One test an active filter: (item's position) → whether it stays. */
function filterTests(run, state) {
  const { items } = run;
  const tests = [];
  if (state.errors) tests.push((index) => items.errors[index] > 0);
  const cost = Number.parseFloat(state.cost);
  if (Number.isFinite(cost)) tests.push((index) => items.cost[index] !== null && items.cost[index] >= cost);
  const latency = Number.parseFloat(state.latency);
  if (Number.isFinite(latency)) tests.push((index) => items.latency[index] !== null && items.latency[index] >= latency);
  if (state.model) {
    const model = run.models.indexOf(state.model);
    tests.push((index) => items.models[index].includes(model));
  }
  if (state.tool) {
    const tool = run.tools.indexOf(state.tool);
    tests.push((index) => items.tools[index].includes(tool));
  }
  if (state.day) tests.push((index) => dayOf(items.t[index]) === state.day);
  if (state.theme) {
    const themes = new Map(run.clusters.map((cluster) => [cluster.cluster_id, String(cluster.theme_id)]));
    tests.push((index) => themes.get(items.cluster[index]) === state.theme);
  }
  return tests;
}

/** 1 for each item that passes every filter; null where none is set, which is all of them. */
function filterMask(run, state) {
  const tests = filterTests(run, state);
  if (!tests.length) return null;
  return Uint8Array.from({ length: run.count }, (_, index) => (tests.every((test) => test(index)) ? 1 : 0));
}

const sumOf = (mask) => mask.reduce((sum, one) => sum + one, 0);

/** How many members of each cluster pass, by cluster id. */
function countsByCluster(run, mask) {
  const counts = new Map(run.clusters.map((cluster) => [cluster.cluster_id, 0]));
  run.items.cluster.forEach((cluster, index) => {
    if (!mask || mask[index]) counts.set(cluster, (counts.get(cluster) ?? 0) + 1);
  });
  return counts;
}

/** The filters in words, each with the name of the filter that it stands for. */
function filterWords(run, state) {
  const words = {
    errors: () => "with errors",
    cost: () => `cost ≥ ${formatMoney(Number(state.cost))}`,
    latency: () => `latency ≥ ${formatSeconds(Number(state.latency))}`,
    model: () => `model ${state.model}`,
    tool: () => `tool ${state.tool}`,
    day: () => (/^\d{4}-\d{2}-\d{2}$/.test(state.day) ? `on ${formatDay(state.day)}` : `on ${state.day}`),
    theme: () => `theme ${run.themeById.get(Number(state.theme))?.title ?? state.theme}`,
  };
  return FILTERS.filter((name) => state[name] !== "").map((name) => [name, words[name]()]);
}
