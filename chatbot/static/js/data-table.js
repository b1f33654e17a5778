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
      element("thead", {}, element("tr", {}, ...columns.map(([name, , is]) => element("th", { scope: "col", ...number(is) }, name)))),
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

/** A moment as the reader's own clock says it. */
export function moment(text) {
  if (!text) return "";
  return new Date(text).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}
