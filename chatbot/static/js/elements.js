// Making DOM elements without ever parsing text as HTML.

/** `element("p", { class: "x", onclick: f }, "text", child)`; empty children are left out. */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const SVG = "http://www.w3.org/2000/svg";

/** An element of a drawing. */
export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** An icon of the page's sprite. */
export function icon(name, extra = "") {
  return svg("svg", { class: `icon ${extra}`, "aria-hidden": "true" }, svg("use", { href: `#i-${name}` }));
}

/** A button that is only an icon; its label is spoken, and shown by the pointer. */
export function iconButton(name, label, attributes = {}) {
  return element(
    "button",
    { type: "button", class: "icon-button small", "aria-label": label, title: label, ...attributes },
    icon(name, "icon-small"),
  );
}

/** A card: what happened, the next step, and buttons. `kind` is "", "bad" or "warn". */
export function card(kind, title, text, buttons = []) {
  return element(
    "div",
    {
      class: `card ${kind}`,
      "data-testid": kind === "bad" ? "error-card" : "card",
      role: kind === "bad" ? "alert" : undefined,
    },
    icon(kind === "" ? "info" : "alert", "icon-lead"),
    element(
      "div",
      { class: "card-body" },
      element(
        "div",
        { class: "card-words" },
        element("p", { class: "card-title" }, title),
        text ? element("p", { class: "card-text" }, text) : null,
      ),
      buttons.length ? element("div", { class: "card-buttons" }, ...buttons) : null,
    ),
  );
}

/** The card of an ApiError. */
export const errorCard = (error, buttons) =>
  card("bad", error.detail.message, error.detail.next_step, buttons);

/** Bytes as people say them. */
export function fileSize(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 * 1024) return `${Math.round(bytes / 1024)} kB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}

/** Milliseconds as people say them. */
export function duration(milliseconds) {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}
