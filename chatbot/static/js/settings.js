// The settings: of the open conversation (agent, model, prompt, sampling), of the page, and the
// reader's own data.

import { announce } from "./announcer.js";
import { ApiError, changeConversation, deleteConversations, listAgents } from "./api.js";
import { confirmDeletion } from "./confirm.js";
import { element } from "./elements.js";

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
    this.form.elements.agent.addEventListener("change", () => this.describeAgent());
    this.form.addEventListener("reset", () => setTimeout(() => this.save()));
    document.getElementById("delete-all").addEventListener("click", () => this.deleteAll());
  }

  async open() {
    this.fill();
    this.dialog.showModal();
    try {
      this.agents = (await listAgents()).agents;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return this.say(error.detail);
    }
    this.drawAgents();
  }

  drawAgents() {
    const select = this.form.elements.agent;
    const chosen = select.value || this.conversation.settings.agent || "";
    const names = this.agents.map((agent) => agent.name);
    // An agent whose file is gone is still what the conversation says.
    if (chosen && !names.includes(chosen)) names.push(chosen);
    const standard = this.agents.find((agent) => agent.default)?.name;
    select.replaceChildren(
      element("option", { value: "" }, standard ? `Default (${standard})` : "The default agent"),
      ...names.map((name) => element("option", { value: name }, name)),
    );
    select.value = chosen;
    this.describeAgent();
  }

  describeAgent() {
    const { value } = this.form.elements.agent;
    const agent = this.agents?.find(({ name, default: standard }) => (value ? name === value : standard));
    const tools = agent?.tools.length ? `Tools: ${agent.tools.join(", ")}.` : "It has no tools.";
    document.getElementById("setting-agent-help").textContent = agent ? `${agent.description ?? ""} ${tools}`.trim() : "";
  }

  fill() {
    const { settings } = this.conversation;
    for (const name of TEXTS) this.form.elements[name].value = settings[name] ?? "";
    for (const name of NUMBERS) this.form.elements[name].value = settings.sampling?.[name] ?? "";
    if (this.agents) this.drawAgents();
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
