// Elements. All text goes through text nodes and every attribute through a list, so that no word of a trace
// can become markup, a handler or an address.

const SVG_NAMESPACE = "http://www.w3.org/2000/svg";
const ATTRIBUTES = new Set([
  "class",
  "id",
  "role",
  "type",
  "for",
  "name",
  "value",
  "placeholder",
  "autocomplete",
  "tabindex",
  "scope",
  "colspan",
  "min",
  "max",
  "step",
  "disabled",
  "checked",
  "selected",
  "hidden",
  "open",
  "datetime",
  "lang",
  "spellcheck",
]);
const SVG_ATTRIBUTES = new Set([
  "class",
  "role",
  "viewBox",
  "width",
  "height",
  "x",
  "y",
  "x1",
  "y1",
  "x2",
  "y2",
  "cx",
  "cy",
  "r",
  "rx",
  "d",
  "points",
  "text-anchor",
  "marker-end",
  "id",
  "orient",
  "refX",
  "refY",
  "markerWidth",
  "markerHeight",
  "preserveAspectRatio",
]);

/** An element with attributes, handlers (`on`) and children: nodes, text, or nothing. */
function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") {
      for (const [event, handler] of Object.entries(value)) element.addEventListener(event, handler);
    } else if (name === "href") {
      if (!String(value).startsWith("#")) throw new Error(`href: ${value}; allowed is a place on this page`);
      element.setAttribute("href", value);
    } else if (ATTRIBUTES.has(name) || name.startsWith("aria-") || name.startsWith("data-")) {
      element.setAttribute(name, value === true ? "" : String(value));
    } else {
      throw new Error(`attribute: ${name} is not one of those allowed`);
    }
  }
  return append(element, children);
}

/** An SVG element, as `h`. */
function s(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG_NAMESPACE, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (!SVG_ATTRIBUTES.has(name) && !name.startsWith("aria-")) throw new Error(`attribute: ${name} is not allowed`);
    element.setAttribute(name, String(value));
  }
  return append(element, children);
}

function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(visible(String(child))));
  }
  return element;
}

/** Text without what would turn its neighbours around or hide in it: controls and direction marks. */
function visible(text) {
  return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "�");
}

function replaceChildren(element, ...children) {
  element.replaceChildren();
  return append(element, children);
}

/** Says something to who listens to the page instead of looking at it. */
function announce(text) {
  document.getElementById("live").textContent = text;
}

/** A function that runs once things have been quiet for `delay` ms. */
function debounce(action, delay) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...values), delay);
  };
}
