// Light, dark, or as the system is. It is a script of its own in the page's head, not a module, so
// that the page is never drawn in the wrong colours first.

(() => {
  const KEY = "appearance";
  const root = document.documentElement;
  const apply = (choice) => {
    if (choice === "light" || choice === "dark") root.dataset.theme = choice;
    else delete root.dataset.theme;
  };
  const stored = () => {
    try {
      return localStorage.getItem(KEY) ?? "system";
    } catch {
      return "system";
    }
  };
  apply(stored());
  addEventListener("storage", (event) => event.key === KEY && apply(stored()));
  addEventListener("DOMContentLoaded", () => {
    for (const input of document.querySelectorAll("input[name=appearance]")) {
      input.checked = input.value === stored();
      input.addEventListener("change", () => {
        localStorage.setItem(KEY, input.value);
        apply(input.value);
      });
    }
  });
})();
