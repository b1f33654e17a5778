// A table of what the API gives.

import { element } from "./elements.js";

/** Draw rows into a place. `columns` are [heading, row => text or node, isNumber]. */
export function drawTable(place, columns, rows, empty) {
  if (!rows.length) {
    place.replaceChildren(element("p", { class: "table-empty" }, empty));
    return;
  }
  const number = (is) => (is ? { class: "number" } : {});
  place.replaceChildren(
    element(
      "table",
      {},
      element("thead", {}, element("tr", {}, ...columns.map(([name, , is]) => heading(name, number(is))))),
      element(
        "tbody",
        {},
        ...rows.map((row) =>
          element("tr", {}, ...columns.map(([, cell, is]) => element("td", number(is), cell(row) ?? ""))),
        ),
      ),
    ),
  );
}

// A column of buttons has a name that is only spoken.
const heading = (name, attributes) =>
  element("th", { scope: "col", ...attributes }, name || element("span", { class: "visually-hidden" }, "Action"));

/** A moment as the reader's own clock says it. */
export function moment(text) {
  if (!text) return "";
  const words = new Date(text).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  return element("time", { datetime: text }, words);
}
