// How a cluster went over the last days.

/** A chart of sizes a day in `box`; returns {destroy}. */
function createTrend(box, trend, color) {
  const chart = Charts.init(box, null, { renderer: "canvas" });
  const { ink, font } = inkOf(box);
  const line = getComputedStyle(box).getPropertyValue("--line").trim();
  const muted = getComputedStyle(box).getPropertyValue("--muted").trim();
  const text = { color: muted, fontFamily: font, fontSize: 11 };
  chart.setOption({
    animation: false,
    grid: { left: 34, right: 12, top: 18, bottom: 24 },
    xAxis: {
      type: "category",
      data: trend.map((day) => formatDay(day.date)),
      axisLabel: text,
      axisLine: { lineStyle: { color: line } },
      axisTick: { show: false },
    },
    yAxis: {
      type: "value",
      min: 0,
      minInterval: 1,
      splitNumber: 3,
      axisLabel: text,
      splitLine: { lineStyle: { color: line } },
    },
    series: [
      {
        type: "line",
        data: trend.map((day) => day.size),
        symbol: "circle",
        symbolSize: 7,
        silent: true,
        lineStyle: { color, width: 2.5 },
        itemStyle: { color },
        areaStyle: { color, opacity: 0.12 },
        label: { show: true, position: "top", color: ink, fontFamily: font, fontSize: 11, fontWeight: 600 },
        labelLayout: { hideOverlap: true },
      },
    ],
  });
  const resize = new ResizeObserver(() => chart.resize());
  resize.observe(box);
  return {
    destroy() {
      resize.disconnect();
      chart.dispose();
    },
  };
}

/** The same in a table, for who cannot see it. */
function trendTable(trend) {
  return h(
    "table",
    { class: "visually-hidden" },
    h("caption", {}, "Size a day"),
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("th", { scope: "col" }, "Day"),
        h("th", { scope: "col" }, "Items"),
        h("th", { scope: "col" }, "Share"),
      ),
    ),
    h(
      "tbody",
      {},
      trend.map((day) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, formatDay(day.date)),
          h("td", {}, formatInteger(day.size)),
          h("td", {}, formatShare(day.share)),
        ),
      ),
    ),
  );
}
