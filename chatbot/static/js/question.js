// A question on the page: its text, and editing it, which begins a branch beside it.

import { branchSwitch } from "./branch-switch.js";
import { copyButton } from "./copy-button.js";
import { element, icon, iconButton } from "./elements.js";

export class Question {
  /** `actions` are the conversation's: `edit(data, text)`, `siblings(id)`, `choose(id, name)`. */
  constructor(data, actions) {
    this.data = data;
    this.actions = actions;
    this.element = element("article", {
      class: "message user",
      "data-testid": "message-user",
      "data-id": data.id,
      "aria-label": "You",
    });
    this.draw();
  }

  draw() {
    const { content, attachments } = this.data;
    const carried = (attachments ?? []).map((file) =>
      element("li", {}, icon("clip", "icon-small"), file.name),
    );
    this.element.replaceChildren(
      ...(carried.length ? [element("ul", { class: "carried", "aria-label": "Attachments" }, ...carried)] : []),
      element("div", { class: "bubble", "data-testid": "question-text" }, content),
      this.tools(),
    );
  }

  tools() {
    const versions = branchSwitch(this.actions.siblings(this.data.id), "question", this.actions.choose);
    const copy = copyButton(() => this.data.content, "", "Copy question");
    copy.className = "icon-button small";
    return element(
      "div",
      { class: `message-tools${versions ? " kept" : ""}` },
      versions,
      copy,
      iconButton("edit", "Edit question", {
        "data-testid": "edit-question",
        onclick: () => this.edit(),
      }),
    );
  }

  /** Turn the bubble into a field. */
  edit() {
    const field = element("textarea", {
      class: "input",
      "aria-label": "Edit the question",
      "data-testid": "edit-field",
    });
    field.value = this.data.content;
    const leave = () => {
      this.draw();
      this.element.querySelector("[data-testid=edit-question]").focus();
    };
    const send = () => {
      const text = field.value.trim();
      if (!text) return;
      this.draw();
      this.actions.edit(this.data, text);
    };
    field.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        event.stopPropagation();
        leave();
      }
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        send();
      }
    });
    const form = element(
      "form",
      {
        class: "edit-form",
        onsubmit: (event) => {
          event.preventDefault();
          send();
        },
      },
      field,
      element(
        "div",
        { class: "edit-buttons" },
        element("p", { class: "help" }, "The earlier version stays: step back to it with the arrows."),
        element("button", { type: "button", class: "button", onclick: leave }, "Cancel"),
        element("button", { class: "button primary", "data-testid": "send-edit" }, "Send"),
      ),
    );
    this.element.replaceChildren(form);
    field.focus();
    field.setSelectionRange(field.value.length, field.value.length);
  }
}
