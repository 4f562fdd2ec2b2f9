// Small pieces that several views are made of.

/** A colour patch; decoration only, its meaning stands beside it. */
function swatch(color, className = "swatch") {
  const patch = h("span", { class: className, "aria-hidden": "true" });
  patch.style.backgroundColor = color;
  return patch;
}

const link = (changes, className, ...children) => h("a", { href: linkTo(changes), class: className }, children);

const button = (label, onClick, attributes = {}) =>
  h("button", { type: "button", class: "button", on: { click: onClick }, ...attributes }, label);

const BADGES = {
  new: ["New", "first seen in this window"],
  grown: ["Grown", "larger than in the run before"],
  shrunk: ["Shrunk", "smaller than in the run before"],
  errors: ["Errors", "an unusual share has errors"],
};

/** The marks of a cluster, each with a sign of its own beside its colour. */
function badgesOf(cluster) {
  return (cluster.badges ?? []).map((name) => {
    const [label, meaning] = BADGES[name] ?? [name, ""];
    return h(
      "span",
      { class: `badge badge-${name in BADGES ? name : "other"}` },
      label,
      h("span", { class: "visually-hidden" }, meaning ? ` (${meaning})` : ""),
    );
  });
}

/** The last days of a cluster as a line; what it says in words stands beside it for who cannot see it. */
function sparkline(trend) {
  if (!trend || trend.length < 2) return null;
  const [width, height, gap] = [72, 22, 3];
  const top = Math.max(...trend.map((day) => day.size), 1);
  const place = (day, index) => [
    gap + (index * (width - 2 * gap)) / (trend.length - 1),
    height - gap - (day.size * (height - 2 * gap)) / top,
  ];
  const points = trend.map(place);
  const line = points.map((point) => point.map((value) => value.toFixed(1)).join(",")).join(" ");
  const [endX, endY] = points.at(-1);
  const words = `${trend.at(-1).size} on ${formatDay(trend.at(-1).date)}, ${trend[0].size} on ${formatDay(trend[0].date)}`;
  return h(
    "span",
    { class: "spark" },
    s(
      "svg",
      { viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true" },
      s("polygon", { class: "spark-area", points: `${gap},${height - gap} ${line} ${endX},${height - gap}` }),
      s("polyline", { class: "spark-line", points: line }),
      s("circle", { class: "spark-end", cx: endX, cy: endY, r: 2.4 }),
    ),
    h("span", { class: "visually-hidden" }, `Trend: ${words}`),
  );
}

/** A share as a bar under whatever names it. */
function shareBar(share, color) {
  const fill = h("span", { class: "bar-fill" });
  fill.style.width = `${Math.max(1, Math.min(100, (share ?? 0) * 100))}%`;
  if (color) fill.style.backgroundColor = color;
  return h("span", { class: "bar", "aria-hidden": "true" }, fill);
}

/** `2.1× the rest`; with `judged`, marked as bad or good where it is far from the rest, as more of it is worse. */
function liftText(lift, judged = true) {
  const words = liftWords(lift);
  if (!words) return null;
  const far = lift >= 1.5 ? "lift-high" : lift <= 0.67 ? "lift-low" : "lift-even";
  const tone = judged ? far : far === "lift-even" ? far : "lift-far";
  const sign = lift >= 1.1 ? "▲ " : lift <= 0.9 ? "▼ " : "";
  return h("span", { class: `lift ${tone}` }, sign && h("span", { "aria-hidden": "true" }, sign), words);
}

/** A figure with its name. */
const fact = (name, value, note) =>
  h("div", { class: "fact" }, h("dt", {}, name), h("dd", {}, value, note && h("span", { class: "fact-note" }, note)));

/** The lines of a description; the dashes that mark them in text become a list. */
function descriptionList(text) {
  const lines = (text ?? "")
    .split("\n")
    .map((line) => line.replace(/^\s*[-•*]\s+/, "").trim())
    .filter(Boolean);
  if (!lines.length) return null;
  return h(
    "ul",
    { class: "description" },
    lines.map((line) => h("li", {}, line)),
  );
}

/** A choice among a few. */
function selectBox(id, label, options, value, onChange, className = "") {
  const box = h(
    "select",
    { id, on: { change: () => onChange(box.value) } },
    options.map(([key, name]) => h("option", { value: key, selected: key === value }, name)),
  );
  return h("label", { class: `field ${className}`, for: id }, h("span", { class: "field-name" }, label), box);
}

/** An identifier with a button that copies it. */
function copyable(text, what) {
  const copy = button(
    "Copy",
    async () => {
      // From a file some browsers refuse the clipboard: then the text is selected, ready for the keyboard.
      try {
        await navigator.clipboard.writeText(text);
        copy.textContent = "Copied";
        announce(`${what} copied`);
      } catch {
        getSelection().selectAllChildren(code);
        announce(`${what} selected`);
      }
      setTimeout(() => {
        copy.textContent = "Copy";
      }, 1500);
    },
    { class: "button button-small", "aria-label": `Copy ${what}` },
  );
  const code = h("code", { class: "identifier" }, text);
  return h("span", { class: "copyable" }, code, copy);
}

/** The way from the overview to here. */
function breadcrumb(...steps) {
  return h(
    "nav",
    { class: "crumbs", "aria-label": "Where you are" },
    h(
      "ol",
      {},
      steps
        .filter(Boolean)
        .map(([name, changes]) =>
          h("li", {}, changes ? link(changes, "", name) : h("span", { "aria-current": "page" }, name)),
        ),
    ),
  );
}

/** A framed part of a page under its heading. */
const pane = (heading, ...children) => h("section", { class: "pane" }, h("h2", {}, heading), children);
