// The report, and the chunks of details that are unpacked when an item is opened.

const NOISE = -1;
const REPORT = JSON.parse(document.getElementById("report").textContent);
const IS_NAMED = REPORT.content !== "none";
const chunkCache = new Map();
const preparedRuns = new Map();

/** A run with what every view asks of it; prepared once. Skipped runs come as they are. */
function runOf({ run: id, level }) {
  const run =
    REPORT.runs.find((one) => one.run_id === id) ?? REPORT.runs.find((one) => one.level === level) ?? REPORT.runs[0];
  if (!run || run.status !== "clustered" || preparedRuns.has(run.run_id)) return run ?? null;
  const { items } = run;
  run.count = items.id.length;
  run.clusterById = new Map(run.clusters.map((cluster) => [cluster.cluster_id, cluster]));
  run.themeById = new Map(run.themes.map((theme) => [theme.theme_id, theme]));
  run.itemById = new Map(items.id.map((id, index) => [id, index]));
  run.members = new Map(run.clusters.map((cluster) => [cluster.cluster_id, []]));
  items.cluster.forEach((cluster, index) => run.members.get(cluster)?.push(index));
  run.largest = Math.max(1, ...run.clusters.map((cluster) => cluster.size));
  run.days = [...new Set(items.t.map(dayOf))].sort();
  // Themes of one cluster each would say everything twice.
  run.grouped = run.themes.length > 1 && run.themes.length < run.clusters.filter((cluster) => !isNoise(cluster)).length;
  const previous = (run.earlier ?? []).find((one) => one.run_id === run.earlier_run_id);
  run.previous = new Map(
    (previous?.clusters ?? []).filter((cluster) => cluster.lineage_id).map((cluster) => [cluster.lineage_id, cluster]),
  );
  preparedRuns.set(run.run_id, run);
  return run;
}

const isNoise = (cluster) => cluster.cluster_id === NOISE;
const clusterTitle = (cluster) => (isNoise(cluster) ? "Outliers" : cluster.title || `Cluster ${cluster.cluster_id}`);
const itemTitle = (run, index) =>
  run.items.title?.[index] || `${run.level === "generation" ? "Generation" : "Trace"} ${run.items.id[index]}`;
const traceId = (run, index) => run.items.trace[index] || run.items.id[index];
const itemNoun = (run) => (run.level === "generation" ? "generation" : "trace");

/** The same cluster in the run before, by lineage; null where it was not there. */
const before = (run, cluster) => (cluster.lineage_id && run.previous.get(cluster.lineage_id)) || null;

/** The share of a cluster against the run before: 1.5 = half as much again; null where it was not there. */
function growth(run, cluster) {
  const share = before(run, cluster)?.share;
  return share ? cluster.share / share : null;
}

/** A command as a person types it, whatever the id holds. */
const shellWord = (text) => (/^[A-Za-z0-9._:-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
const traceCommand = (run, index) => `llma trace ${shellWord(traceId(run, index))} --team ${shellWord(REPORT.team)}`;

// The chunks stand behind this script, so that the map is drawn before a browser has read them.
const allRead = new Promise((resolve) => {
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", resolve);
  else resolve();
});

async function unpackChunk(number) {
  await allRead;
  if (!chunkCache.has(number)) {
    const text = document.getElementById(`chunk-${number}`).textContent;
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    chunkCache.set(number, new Response(stream).json());
  }
  return chunkCache.get(number);
}

/** The detail of an item, or null where the report holds none. */
async function detailOf(run, index) {
  const place = run.items.detail?.[index];
  if (!place) return null;
  return (await unpackChunk(place[0]))[place[1]] ?? null;
}

/** The items nearest on the map, nearest first. */
function neighbours(run, index, count) {
  const { x, y } = run.items;
  const distance = (other) => (x[other] - x[index]) ** 2 + (y[other] - y[index]) ** 2;
  return Array.from({ length: run.count }, (_, other) => other)
    .filter((other) => other !== index)
    .sort((one, other) => distance(one) - distance(other))
    .slice(0, count);
}
