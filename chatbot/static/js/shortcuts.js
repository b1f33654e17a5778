// The keyboard's shortcuts. The help dialog lists the same.

const field = () =>
  document.activeElement?.matches("input, textarea, select, [contenteditable]") ?? false;

/** `actions`: what each shortcut does; `stop()` says whether there was something to stop. */
export function listenForShortcuts(actions) {
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || document.querySelector("dialog[open]")) return;
    const command = event.ctrlKey || event.metaKey;
    const key = event.key.toLowerCase();
    const found =
      (command && !event.shiftKey && key === "k" && actions.search) ||
      (command && event.shiftKey && key === "o" && actions.fresh) ||
      (command && key === "," && actions.settings) ||
      (command && key === "/" && actions.help) ||
      (!command && key === "?" && !field() && actions.help) ||
      (!command && key === "/" && !field() && actions.compose) ||
      (command && event.shiftKey && key === "e" && actions.editLast);
    if (found) {
      event.preventDefault();
      found();
    } else if (key === "escape" && actions.stop()) {
      event.preventDefault();
    }
  });
}
