// Buttons that copy a text, and say so.

import { announce } from "./announcer.js";
import { element, icon } from "./elements.js";

/** A button that copies what `text()` returns. */
export function copyButton(text, label = "Copy", describe = undefined) {
  const caption = element("span", {}, label);
  const button = element("button", { type: "button", class: "small-button", "aria-label": describe });
  const draw = (name, words) =>
    button.replaceChildren(icon(name, "icon-small"), ...(words.textContent ? [words] : []));
  draw("copy", caption);
  button.addEventListener("click", async () => {
    await copy(text());
    draw("check", element("span", label ? {} : { class: "visually-hidden" }, "Copied"));
    announce("Copied.");
    setTimeout(() => draw("copy", caption), 1500);
  });
  return button;
}

async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Browsers offer the clipboard only to HTTPS pages and localhost.
  const area = element("textarea", { class: "visually-hidden" });
  area.value = text;
  const back = document.activeElement;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
  back?.focus();
}
