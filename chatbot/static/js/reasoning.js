// What a model thinks before it answers, kept apart from the answer.

import { element, icon } from "./elements.js";

export class ReasoningPane {
  constructor() {
    this.label = element("span", {}, "Reasoning");
    this.text = element("div", { class: "pane-text" });
    this.element = element(
      "details",
      { class: "pane", "data-testid": "reasoning" },
      element("summary", {}, icon("thought", "icon-small"), this.label, icon("next", "icon-small turn")),
      this.text,
    );
  }

  /** `thinking`: the answer itself has not begun. */
  draw(text, thinking) {
    this.label.textContent = thinking ? "Reasoning …" : "Reasoning";
    const known = this.text.textContent;
    if (text === known) return;
    // While it grows only what is new is added.
    if (known && text.startsWith(known)) this.text.append(text.slice(known.length));
    else this.text.textContent = text;
  }
}
