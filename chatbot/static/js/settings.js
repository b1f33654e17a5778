// The settings: of the open conversation (agent, model, prompt, sampling), of the page, and the
// reader's own data.

import { announce } from "./announcer.js";
import { ApiError, changeConversation, deleteConversations, getState, listAgents } from "./api.js";
import { confirmDeletion } from "./confirm.js";
import { element } from "./elements.js";

const NUMBERS = ["temperature", "top_p", "max_tokens"];
const TEXTS = ["agent", "model", "system_prompt"];

const UNKNOWN = {
  message: "The settings of this conversation are not known: it is not loaded.",
  next_step: "Close this, and load it again.",
};

export class Settings {
  /**
   * `conversation` and `transfer` are the page's; `onAllDeleted()` is called when no conversation is left.
   */
  constructor({ conversation, transfer, onAllDeleted }) {
    this.conversation = conversation;
    this.transfer = transfer;
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
    this.form.elements.agent.addEventListener("change", () => this.describeAgent());
    this.form.elements.model.addEventListener("change", () => this.describeModel());
    this.form.addEventListener("reset", () => setTimeout(() => this.save()));
    document.getElementById("delete-all").addEventListener("click", () => this.deleteAll());
  }

  async open() {
    this.fill();
    this.dialog.showModal();
    if (!this.conversation.shown) {
      await this.conversation.opening;
      this.fill();
      if (!this.conversation.shown) return this.say(UNKNOWN);
    }
    try {
      const [{ agents }, { models }] = await Promise.all([listAgents(), getState()]);
      Object.assign(this, { agents, models });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return this.say(error.detail);
    }
    this.drawChoices();
  }

  /** `chosen`: what the conversation says; without it, what the reader has picked stays. */
  drawChoices(chosen = this.chosen()) {
    const standard = this.agents?.find((agent) => agent.default)?.name;
    const name = standard ? `Default (${standard})` : "The default agent";
    this.drawSelect("agent", name, chosen.agent, this.agents?.map((agent) => agent.name));
    this.drawSelect("model", "The agent's own", chosen.model, this.models);
    this.describeAgent();
  }

  drawSelect(name, standard, chosen, known = []) {
    const select = this.form.elements[name];
    // What is there no more is still what the conversation says.
    const names = chosen && !known.includes(chosen) ? [...known, chosen] : known;
    select.replaceChildren(
      element("option", { value: "" }, standard),
      ...names.map((value) => element("option", { value }, value)),
    );
    select.value = chosen ?? "";
  }

  agent() {
    const { value } = this.form.elements.agent;
    return this.agents?.find(({ name, default: standard }) => (value ? name === value : standard));
  }

  describeModel() {
    const { value } = this.form.elements.model;
    const gone = value && this.models && !this.models.includes(value);
    const own = value ? "" : (this.agent()?.model ?? "");
    document.getElementById("setting-model-help").textContent = gone ? "It is not served now." : own;
  }

  describeAgent() {
    this.describeModel();
    const agent = this.agent();
    const tools = agent?.tools.length ? `Tools: ${agent.tools.join(", ")}.` : "It has no tools.";
    document.getElementById("setting-agent-help").textContent = agent ? `${agent.description ?? ""} ${tools}`.trim() : "";
  }

  fill() {
    const { settings, shown } = this.conversation;
    // What is not known yet is not changed: saving sends all of it.
    for (const field of this.form.elements) field.disabled = !shown;
    this.form.elements.system_prompt.value = settings.system_prompt ?? "";
    for (const name of NUMBERS) this.form.elements[name].value = settings.sampling?.[name] ?? "";
    this.transfer.fill();
    this.drawChoices(settings);
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
        const changed = await changeConversation(id, { settings });
        if (this.conversation.id === id) this.conversation.settings = changed.settings;
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
      await this.open();
      return this.say(error.detail);
    }
    announce("All conversations are deleted.");
    this.onAllDeleted();
  }
}
