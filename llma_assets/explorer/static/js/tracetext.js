// The numbered text of a trace, and the lines that a summary points at.

const TEXT_PART = /^([│├└─\s]*)(\[(?:GEN|SPAN|EMBED|EVAL|EVENT)\])?(.*)$/u;
const TEXT_ROLE = /^(\s*\[\d+\] )(system|user|assistant|tool|developer|function)(:)(.*)$/s;

/** The text as an ordered list; where lines were left out it says how many. */
function traceText(detail) {
  const lines = detail?.lines;
  if (!lines?.length) return null;
  const rows = [];
  let last = 0;
  for (const [number, text] of lines) {
    if (number > last + 1) rows.push(h("div", { class: "text-gap" }, `${plural(number - last - 1, "line")} left out`));
    rows.push(
      h(
        "div",
        { class: `text-line${/\bERROR\b/.test(text) ? " text-error" : ""}`, id: `line-${number}`, tabindex: "-1" },
        h("span", { class: "text-number" }, `L${number}`),
        h("span", { class: "text-body" }, textBody(text)),
      ),
    );
    last = number;
  }
  if (detail.line_count > last)
    rows.push(h("div", { class: "text-gap" }, `${plural(detail.line_count - last, "line")} left out`));
  return h(
    "div",
    { class: "trace-text", tabindex: "0", role: "region", "aria-label": "Text of the trace, numbered" },
    rows,
  );
}

/** Tree, tag, role and words of a line, told apart by their look. */
function textBody(text) {
  const [, tree, tag, rest] = TEXT_PART.exec(text) ?? [null, "", "", text];
  const role = TEXT_ROLE.exec(rest);
  return [
    tree && h("span", { class: "text-tree" }, tree),
    tag && h("span", { class: "text-tag" }, tag),
    role
      ? [
          role[1],
          h("b", { class: `text-role text-role-${role[2] === "user" ? "user" : "other"}` }, role[2] + role[3]),
          role[4],
        ]
      : rest,
  ];
}

/** `18` or `18-24` as numbers; null where it is neither. */
function parseLines(text) {
  const found = /^(\d{1,7})(?:-(\d{1,7}))?$/.exec(text);
  if (!found) return null;
  const first = Number(found[1]);
  return [first, Math.max(first, Number(found[2] ?? first))];
}

/** Marks lines and brings the first into view; false where the text does not hold them. */
function markLines(root, line, focus) {
  for (const marked of root.querySelectorAll(".text-marked")) marked.classList.remove("text-marked");
  for (const ref of root.querySelectorAll(".ref[aria-current]")) ref.removeAttribute("aria-current");
  for (const ref of root.querySelectorAll(".ref"))
    if (ref.dataset.lines === line) ref.setAttribute("aria-current", "true");
  const range = parseLines(line);
  if (!range) return false;
  let target = null;
  // The text has as many lines as it has, whatever a link asks for.
  for (const element of root.querySelectorAll(".text-line")) {
    const number = Number(element.id.slice(5));
    if (number < range[0] || number > range[1]) continue;
    element.classList.add("text-marked");
    target ??= element;
  }
  if (!target) return false;
  const box = target.parentNode;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  box.scrollTo({ top: target.offsetTop - box.clientHeight / 3, behavior: calm ? "auto" : "smooth" });
  const seen = box.getBoundingClientRect();
  if (seen.top > innerHeight - 120 || seen.bottom < 160)
    box.scrollIntoView({ block: "start", behavior: calm ? "auto" : "smooth" });
  if (focus) target.focus({ preventScroll: true });
  return true;
}

/** A point of a summary with links to the lines that it rests on. */
function summaryPoint(point) {
  return h(
    "li",
    {},
    point.text,
    " ",
    (point.refs ?? []).map(([first, last]) => {
      const lines = first === last ? String(first) : `${first}-${last}`;
      return [
        h(
          "a",
          {
            class: "ref",
            "data-lines": lines,
            href: hashOf({ ...currentState(), line: lines }),
            "aria-label": first === last ? `Line ${first}` : `Lines ${first} to ${last}`,
          },
          `L${lines.replace("-", "–")}`,
        ),
        " ",
      ];
    }),
  );
}
