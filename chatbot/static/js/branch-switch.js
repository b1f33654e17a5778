// "‹ 2/3 ›": goes from one version of a message to another.

import { element, iconButton } from "./elements.js";

/** The switch of a message; null where it has no other version. `onChoose(id)` shows another. */
export function branchSwitch({ ids, at }, what, onChoose) {
  if (ids.length < 2) return null;
  const step = (name, label, to) =>
    iconButton(name, label, {
      "data-testid": `branch-${name}`,
      disabled: to < 0 || to >= ids.length,
      onclick: () => onChoose(ids[to], name),
    });
  return element(
    "div",
    { class: "branches", role: "group", "aria-label": `Versions of the ${what}`, "data-testid": "branches" },
    step("previous", `Earlier version of the ${what}`, at - 1),
    element("span", {}, element("span", { class: "visually-hidden" }, "Version "), `${at + 1}/${ids.length}`),
    step("next", `Later version of the ${what}`, at + 1),
  );
}
