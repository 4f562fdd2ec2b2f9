// Where items lie: in the map's own measure, and on the screen.

const MOST_STRETCH = 1.4;

/** The ranges that hold every item, in the shape of the box; neither direction is stretched more than `MOST_STRETCH`. */
function extentOf(run, width, height) {
  const { x, y } = run.items;
  let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let index = 0; index < run.count; index += 1) {
    left = Math.min(left, x[index]);
    right = Math.max(right, x[index]);
    low = Math.min(low, y[index]);
    high = Math.max(high, y[index]);
  }
  if (left > right) [left, right, low, high] = [0, 1, 0, 1];
  const shape = width / height;
  let [span, tall] = [(right - left || 1) * 1.14, (high - low || 1) * 1.22];
  if (span < (tall * shape) / MOST_STRETCH) span = (tall * shape) / MOST_STRETCH;
  else if (tall < span / shape / MOST_STRETCH) tall = span / shape / MOST_STRETCH;
  const [middleX, middleY] = [(left + right) / 2, (low + high) / 2];
  return { left: middleX - span / 2, right: middleX + span / 2, low: middleY - tall / 2, high: middleY + tall / 2 };
}

/** The nearest item to a place on the screen, within `reach` px; -1 where there is none. */
function nearestItem(run, toPixel, atX, atY, reach, mask) {
  const { x, y } = run.items;
  // Two points give the scale of both axes: five thousand calls into the chart would take longer than a frame.
  const [zeroX, zeroY] = toPixel([0, 0]);
  const [oneX, oneY] = toPixel([1, 1]);
  let [best, found] = [reach * reach, -1];
  for (let index = 0; index < run.count; index += 1) {
    if (mask && !mask[index]) continue;
    const dx = zeroX + x[index] * (oneX - zeroX) - atX;
    const dy = zeroY + y[index] * (oneY - zeroY) - atY;
    const distance = dx * dx + dy * dy;
    if (distance < best) [best, found] = [distance, index];
  }
  return found;
}

/** Whether a place lies within a polygon, by the count of edges crossed to its right. */
function insidePolygon(x, y, corners) {
  let inside = false;
  for (let here = 0, before = corners.length - 1; here < corners.length; before = here, here += 1) {
    const [x1, y1] = corners[here];
    const [x2, y2] = corners[before];
    if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) inside = !inside;
  }
  return inside;
}

/** The items within an area drawn on the map: a polygon, or two ranges. */
function itemsWithin(run, area) {
  const { x, y } = run.items;
  const corners = area.coordRange;
  const within =
    area.brushType === "polygon"
      ? (index) => insidePolygon(x[index], y[index], corners)
      : (index) =>
          x[index] >= corners[0][0] &&
          x[index] <= corners[0][1] &&
          y[index] >= corners[1][0] &&
          y[index] <= corners[1][1];
  return Array.from({ length: run.count }, (_, index) => index).filter(within);
}

/** Where the name of a group goes: over its middle, at the upper edge of most of it, so that it hides few of its items. */
function labelPlace(run, indices) {
  const sorted = (values) => indices.map((index) => values[index]).sort((one, other) => one - other);
  const [x, y] = [sorted(run.items.x), sorted(run.items.y)];
  return [x[Math.floor(x.length / 2)], y[Math.floor((y.length - 1) * 0.9)]];
}

/** A title on two lines at most. */
function labelText(title) {
  const words = title.split(/\s+/);
  const lines = [""];
  for (const word of words) {
    const longer = lines.at(-1) ? `${lines.at(-1)} ${word}` : word;
    if (longer.length <= 24 || !lines.at(-1)) lines[lines.length - 1] = longer;
    else if (lines.length < 2) lines.push(word);
    else return `${lines[0]}\n${lines[1]} …`;
  }
  return lines.join("\n");
}
