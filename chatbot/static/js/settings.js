// The settings: of the open conversation (agent, model, prompt, sampling), of the page, and the
// reader's own data.

import { announce } from "./announcer.js";
import { ApiError, changeConversation, deleteConversations } from "./api.js";
import { confirmDeletion } from "./confirm.js";

const NUMBERS = ["temperature", "top_p", "max_tokens"];
const TEXTS = ["agent", "model", "system_prompt"];

export class Settings {
  /**
   * `conversation` is the page's; `onAllDeleted()` is called when no conversation is left.
   */
  constructor({ conversation, onAllDeleted }) {
    this.conversation = conversation;
    this.onAllDeleted = onAllDeleted;
    this.dialog = document.getElementById("settings-dialog");
    this.form = document.getElementById("settings-form");
    this.error = document.getElementById("settings-error");
    document.querySelectorAll("[data-open=settings]").forEach((button) => {
      button.addEventListener("click", () => this.open());
    });
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.save();
    });
    this.form.addEventListener("reset", () => setTimeout(() => this.save()));
    document.getElementById("delete-all").addEventListener("click", () => this.deleteAll());
  }

  open() {
    this.fill();
    this.dialog.showModal();
  }

  fill() {
    const { settings } = this.conversation;
    for (const name of TEXTS) this.form.elements[name].value = settings[name] ?? "";
    for (const name of NUMBERS) this.form.elements[name].value = settings.sampling?.[name] ?? "";
    this.say(null);
  }

  chosen() {
    const sampling = {};
    for (const name of NUMBERS) {
      const { value } = this.form.elements[name];
      if (value !== "") sampling[name] = Number(value);
    }
    const found = { sampling: Object.keys(sampling).length ? sampling : null };
    for (const name of TEXTS) found[name] = this.form.elements[name].value.trim() || null;
    return found;
  }

  async save() {
    const settings = this.chosen();
    const { id } = this.conversation;
    try {
      if (id === null) {
        const given = Object.entries(settings).filter(([, value]) => value !== null);
        this.conversation.settings = Object.fromEntries(given);
      } else {
        this.conversation.settings = (await changeConversation(id, { settings })).settings;
      }
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return this.say(error.detail);
    }
    this.dialog.close();
    announce("The settings hold from the next answer on.");
  }

  say(detail) {
    this.error.hidden = !detail;
    this.error.textContent = detail ? `${detail.message} ${detail.next_step ?? ""}` : "";
    const field = (detail?.param ?? "").split(".").at(-1);
    for (const name of [...TEXTS, ...NUMBERS]) {
      this.form.elements[name].setAttribute("aria-invalid", String(name === field));
    }
  }

  async deleteAll() {
    this.dialog.close();
    const sure = await confirmDeletion({
      title: "Delete all conversations?",
      text: "Every conversation of yours, with all messages, will be gone from this server. This cannot be undone.",
      action: "Delete everything",
    });
    if (!sure) return;
    try {
      await deleteConversations();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.open();
      return this.say(error.detail);
    }
    announce("All conversations are deleted.");
    this.onAllDeleted();
  }
}
