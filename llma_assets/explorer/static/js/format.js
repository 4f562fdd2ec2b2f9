// Figures as a person reads them. UTC and English throughout: the page shows the same to everybody.

const NONE = "–";
const INTEGER = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const COMPACT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
const LONG_DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: "UTC" });

const missing = (value) => value === null || value === undefined || !Number.isFinite(value);

const formatInteger = (value) => (missing(value) ? NONE : INTEGER.format(value));
const formatCompact = (value) =>
  missing(value) ? NONE : value < 10000 ? INTEGER.format(value) : COMPACT.format(value);

/** US dollars, with as many digits as tell two of them apart. */
function formatMoney(value) {
  if (missing(value)) return NONE;
  if (value === 0) return "$0";
  if (value < 0.001) return `$${value.toPrecision(1)}`;
  if (value < 0.1) return `$${value.toPrecision(2)}`;
  if (value < 1000) return `$${value.toFixed(2)}`;
  return `$${COMPACT.format(value)}`;
}

function formatSeconds(value) {
  if (missing(value)) return NONE;
  if (value < 0.95) return `${Math.round(value * 1000)} ms`;
  if (value < 9.95) return `${value.toFixed(1)} s`;
  if (value < 120) return `${Math.round(value)} s`;
  return `${(value / 60).toFixed(1)} min`;
}

function formatShare(value) {
  if (missing(value)) return NONE;
  if (value === 0) return "0%";
  if (value < 0.01) return `${(value * 100).toFixed(1)}%`;
  return `${Math.round(value * 100)}%`;
}

const formatDay = (iso) => DAY.format(new Date(`${iso}T00:00:00Z`));
const formatLongDay = (iso) => LONG_DAY.format(new Date(`${iso}T00:00:00Z`));
const dayOf = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 10);
const formatTime = (seconds) => `${DAY.format(seconds * 1000)}, ${CLOCK.format(seconds * 1000)}`;

/** The days from the start of a window to its end, which is midnight after the last. */
function formatWindow(run) {
  const first = run.window_start.slice(0, 10);
  const last = new Date(Date.parse(run.window_end) - 1).toISOString().slice(0, 10);
  return first === last ? formatDay(first) : `${formatDay(first)} – ${formatDay(last)}`;
}

const plural = (count, one, many = `${one}s`) => `${formatInteger(count)} ${count === 1 ? one : many}`;

/** A ratio to the rest of the traffic, in words; null where there is none to speak of. */
function liftWords(lift) {
  if (missing(lift)) return null;
  if (lift === 0) return "none, unlike the rest";
  if (lift > 0.9 && lift < 1.1) return "like the rest";
  const digits = lift >= 10 ? 0 : lift >= 0.1 ? 1 : 2;
  return `${lift.toFixed(digits)}× the rest`;
}

/** The metrics in the order in which they are shown; `dear` = more of it is worse. */
const METRICS = [
  { key: "avg_cost", name: "Cost each", short: "each", format: formatMoney },
  { key: "avg_latency", name: "Latency", short: "on average", format: formatSeconds },
  { key: "p95_latency", name: "Slowest 5% from", short: "p95", format: formatSeconds },
  { key: "avg_tokens", name: "Tokens each", short: "tokens", format: formatCompact },
  { key: "avg_generations", name: "Model calls each", short: "calls", format: formatCompact },
  { key: "cost_per_million_tokens", name: "Cost of a million tokens", short: "a million tokens", format: formatMoney },
  { key: "error_rate", name: "With errors", short: "with errors", format: formatShare },
];
