// Where an answer's facts come from: the documents that its tools found.

import { element, icon } from "./elements.js";

/** The list of sources of an answer's tool calls; null where there is none. */
export function sourceList(calls) {
  const found = new Map();
  for (const call of calls ?? []) {
    for (const source of call.sources ?? []) {
      const key = `${source.document_id ?? source.name}#${source.page ?? ""}`;
      if (!found.has(key)) found.set(key, source);
    }
  }
  if (!found.size) return null;
  return element(
    "section",
    { class: "sources", "aria-label": "Sources", "data-testid": "sources" },
    element("p", { class: "sources-title" }, "Sources"),
    element("ol", {}, ...[...found.values()].map(sourceItem)),
  );
}

function sourceItem(source) {
  const page = source.page ? `, page ${source.page}` : "";
  return element(
    "li",
    {},
    element(
      "button",
      { type: "button", class: "source", "data-testid": "source", onclick: () => showSource(source) },
      icon("document", "icon-small"),
      element("span", {}, `${source.name}${page}`),
    ),
  );
}

/** Show the passage that was found, with a link to the whole document. */
function showSource(source) {
  const dialog = document.getElementById("source-dialog");
  document.getElementById("source-name").textContent = source.name;
  document.getElementById("source-page").textContent = source.page ? `Page ${source.page}` : "";
  document.getElementById("source-text").textContent = source.text ?? "";
  const link = document.getElementById("source-link");
  link.hidden = !source.document_id;
  if (source.document_id) link.href = documentAddress(source);
  dialog.showModal();
}

const documentAddress = ({ document_id: id, page }) =>
  `/api/documents/${id}/content${page ? `#page=${page}` : ""}`;
