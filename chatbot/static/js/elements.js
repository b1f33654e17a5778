// Making DOM elements without ever parsing text as HTML.

/** `element("p", { class: "x", onclick: f }, "text", child)` */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

const SVG = "http://www.w3.org/2000/svg";

/** An icon of the page's sprite. */
export function icon(name, extra = "") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", `icon ${extra}`);
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** A button that copies what `text()` returns and says so. */
export function copyButton(text, label = "Copy") {
  const caption = element("span", {}, label);
  const button = element("button", { type: "button", class: "small-button" });
  button.append(icon("copy", "icon-small"), caption);
  button.addEventListener("click", async () => {
    await copy(text());
    button.replaceChildren(icon("check", "icon-small"), element("span", { role: "status" }, "Copied"));
    setTimeout(() => button.replaceChildren(icon("copy", "icon-small"), caption), 1500);
  });
  return button;
}

async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Browsers offer the clipboard only to HTTPS pages and localhost.
  const area = element("textarea", { class: "visually-hidden" });
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

/** Say something to screen readers, once. */
export function announce(text) {
  document.getElementById("live").textContent = text;
}
