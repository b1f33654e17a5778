// Search over all conversations: what is typed takes the list's place with what was found.

import { ApiError, search } from "./api.js";
import { element } from "./elements.js";

const PAUSE = 180;

export class Search {
  /** `onOpen(conversationId, messageId)`: the reader chose something that was found. */
  constructor({ onOpen }) {
    this.onOpen = onOpen;
    this.field = document.getElementById("search");
    this.results = document.getElementById("search-results");
    this.note = document.getElementById("search-note");
    this.nav = document.getElementById("conversation-nav");
    this.timer = null;
    this.asked = null;
    this.field.addEventListener("input", () => this.changed());
    this.field.addEventListener("keydown", (event) => this.key(event));
    this.results.addEventListener("keydown", (event) => this.key(event));
  }

  focus() {
    this.field.focus();
    this.field.select();
  }

  clear() {
    this.field.value = "";
    this.changed();
  }

  key(event) {
    if (event.key === "Escape" && this.field.value) {
      event.preventDefault();
      this.clear();
      this.field.focus();
    }
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const links = [...this.results.querySelectorAll("a")];
    const at = links.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1);
    event.preventDefault();
    (links[at] ?? (at < 0 ? this.field : links.at(-1)))?.focus();
  }

  changed() {
    clearTimeout(this.timer);
    const words = this.field.value.trim();
    this.nav.hidden = Boolean(words);
    this.results.hidden = !words;
    if (words) this.timer = setTimeout(() => this.look(words), PAUSE);
    else this.say("");
  }

  async look(words) {
    this.asked?.abort();
    this.asked = new AbortController();
    try {
      const { hits } = await search(words, this.asked.signal);
      this.results.replaceChildren(...hits.map((hit) => this.item(hit)));
      this.say(
        hits.length
          ? `${hits.length} found`
          : "Nothing found. All words must stand in one message; their beginnings are enough.",
      );
    } catch (error) {
      if (error.name === "AbortError") return;
      if (!(error instanceof ApiError)) throw error;
      this.results.replaceChildren();
      this.say(`${error.detail.message} ${error.detail.next_step}`);
    }
  }

  say(text) {
    this.note.textContent = text;
    this.note.hidden = !text;
  }

  item({ conversation, message_id: messageId, role, snippet, marks }) {
    const who = { user: "You", assistant: "Answer" }[role] ?? "Title";
    const link = element(
      "a",
      {
        class: "hit",
        href: `/c/${conversation.id}`,
        "data-testid": "search-hit",
        onclick: (event) => {
          if (event.metaKey || event.ctrlKey || event.shiftKey) return;
          event.preventDefault();
          this.onOpen(conversation.id, messageId);
        },
      },
      element("span", { class: "hit-title" }, conversation.title || "New conversation"),
      element("span", { class: "hit-text" }, `${who}: `, ...marked(snippet, marks)),
    );
    return element("li", {}, link);
  }
}

/** A text with its marks, which are places in code points. */
function marked(text, marks) {
  const signs = Array.from(text);
  const parts = [];
  let at = 0;
  for (const [from, to] of marks) {
    parts.push(signs.slice(at, from).join(""), element("mark", {}, signs.slice(from, to).join("")));
    at = to;
  }
  return [...parts, signs.slice(at).join("")];
}
