// Taking conversations out as files, and bringing them in.

import { ApiError, importConversations } from "./api.js";

export class Transfer {
  /** `conversation` is the page's; `onImported()` is called when there are new conversations. */
  constructor({ conversation, onImported }) {
    this.conversation = conversation;
    this.onImported = onImported;
    this.note = document.getElementById("import-note");
    this.input = document.getElementById("import-input");
    document.getElementById("import").addEventListener("click", () => this.input.click());
    this.input.addEventListener("change", () => this.bringIn(this.input.files[0]));
  }

  /** Have the links lead to the open conversation, as it is shown. */
  fill() {
    const { id, leaf } = this.conversation;
    this.say("");
    document.getElementById("export-one").hidden = id === null;
    if (id === null) return;
    const branch = leaf ? `&leaf=${leaf}` : "";
    document.getElementById("export-json").href = `/api/conversations/${id}/export`;
    document.getElementById("export-markdown").href =
      `/api/conversations/${id}/export?format=markdown${branch}`;
  }

  async bringIn(file) {
    this.input.value = "";
    if (!file) return;
    this.say("Importing …");
    try {
      const { conversations, messages, missing_attachments: missing } = await importConversations(file);
      const without = missing ? ` ${missing} attachments are not on this server.` : "";
      this.say(`Imported: ${conversations.length} conversations with ${messages} messages.${without}`);
      this.onImported();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.say(`${error.detail.message} ${error.detail.next_step}`);
    }
  }

  say(text) {
    this.note.textContent = text;
    this.note.hidden = !text;
  }
}
