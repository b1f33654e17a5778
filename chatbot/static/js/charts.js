// Charts of daily figures, drawn as SVG of the page's own colours.

import { element, svg } from "./elements.js";

const WIDTH = 300;
const HEIGHT = 110;
const FOOT = 20;

/**
 * Bars of a figure by day. `days` are ISO dates, the oldest first, `values` numbers; the same
 * figures are in the table below the charts.
 */
export function barChart(title, days, values, kind = "") {
  const most = Math.max(...values, 1);
  const total = values.reduce((sum, value) => sum + value, 0);
  const step = WIDTH / days.length;
  const bars = values.map((value, at) => {
    const height = (value / most) * (HEIGHT - FOOT - 10);
    return svg(
      "rect",
      {
        class: "bar", x: at * step + step * 0.15, y: HEIGHT - FOOT - height,
        width: step * 0.7, height: Math.max(height, value ? 2 : 0), rx: 2,
      },
      svg("title", {}, `${days[at]}: ${value.toLocaleString()}`),
    );
  });
  const label = (x, anchor, words) =>
    svg("text", { class: "chart-label", x, y: HEIGHT - 5, "text-anchor": anchor }, words);
  const drawing = svg(
    "svg",
    {
      class: `chart ${kind}`, viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img",
      "aria-label": `${title}: ${total.toLocaleString()} in ${days.length} days, at most ${most.toLocaleString()} a day`,
    },
    svg("line", { class: "axis", x1: 0, x2: WIDTH, y1: HEIGHT - FOOT, y2: HEIGHT - FOOT }),
    ...bars,
    label(0, "start", days[0]),
    label(WIDTH, "end", days.at(-1)),
  );
  return element(
    "figure",
    { class: "chart-frame" },
    element("figcaption", {}, element("span", {}, title), element("strong", {}, total.toLocaleString())),
    drawing,
  );
}

/** The last `count` days as ISO dates in UTC, the oldest first. */
export function lastDays(count) {
  const today = Date.now();
  return Array.from({ length: count }, (_, at) =>
    new Date(today - (count - 1 - at) * 86_400_000).toISOString().slice(0, 10),
  );
}
