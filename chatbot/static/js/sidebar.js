// The list of conversations, a part at a time.

import { ApiError, changeConversation, deleteConversation, listConversations } from "./api.js";
import { confirmDeletion } from "./confirm.js";
import { element, iconButton } from "./elements.js";

const PART = 50;
const DAY = 86_400_000;
const NEW = "New conversation";
const NOTHING = "Your conversations will be listed here. They stay on this server.";

export class Sidebar {
  /** `onOpen(id)`, `onDeleted(id)` and `onRenamed(conversation)`: the reader did that. */
  constructor({ onOpen, onDeleted, onRenamed }) {
    Object.assign(this, { onOpen, onDeleted, onRenamed });
    this.list = document.getElementById("conversations");
    this.note = document.getElementById("list-note");
    this.more = document.getElementById("more-conversations");
    this.conversations = [];
    this.next = null;
    this.current = null;
    this.writing = new Set();
    this.renaming = null;
    // How often the list was asked for, and changed here.
    this.readings = 0;
    this.changes = 0;
    this.more.addEventListener("click", () => this.loadMore());
    // The next part comes when its button comes into view.
    new IntersectionObserver(
      (entries) => entries.some((entry) => entry.isIntersecting) && this.loadMore(),
      { root: this.list.closest(".list-frame"), rootMargin: "200px" },
    ).observe(this.more);
  }

  /** Read the list; what was read before something changed here is read again. */
  async load() {
    const reading = ++this.readings;
    const { changes } = this;
    try {
      const { conversations, next } = await listConversations(null, PART);
      if (reading !== this.readings) return;
      if (changes !== this.changes) return await this.load();
      this.conversations = conversations;
      this.next = next;
      this.draw();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (reading !== this.readings) return;
      this.list.replaceChildren();
      this.say(`${error.detail.message} ${error.detail.next_step}`);
    }
  }

  async loadMore() {
    const from = this.next;
    if (from === null || this.loading) return;
    this.loading = true;
    try {
      const { conversations, next } = await listConversations(from, PART);
      const known = new Set(this.conversations.map(({ id }) => id));
      this.conversations.push(...conversations.filter(({ id }) => !known.has(id)));
      this.next = next;
      this.draw();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.say(error.detail.message);
    } finally {
      this.loading = false;
    }
  }

  get(id) {
    return this.conversations.find((conversation) => conversation.id === id);
  }

  /** Put a new or changed conversation where it belongs: at the top. */
  put(conversation) {
    this.changes += 1;
    this.conversations = [
      conversation,
      ...this.conversations.filter((other) => other.id !== conversation.id),
    ];
    this.draw();
  }

  /** A conversation that is here has got a title; it stays where it is. */
  retitled({ id, title, title_by }) {
    const conversation = this.get(id);
    if (!conversation) return;
    this.changes += 1;
    Object.assign(conversation, { title, title_by });
    this.draw();
    this.onRenamed(conversation);
  }

  select(id) {
    this.current = id;
    this.draw();
  }

  /** Show with a dot that a conversation's answer is being written. */
  mark(id, writing) {
    if (writing === this.writing.has(id)) return;
    if (writing) this.writing.add(id);
    else this.writing.delete(id);
    this.draw();
  }

  say(text) {
    this.note.textContent = text;
    this.note.hidden = !text;
  }

  draw() {
    if (this.renaming) return;
    const focused = this.list.contains(document.activeElement)
      ? document.activeElement.dataset.focus
      : null;
    const items = [];
    let heading = null;
    for (const conversation of this.conversations) {
      const group = age(conversation.updated_at);
      if (group !== heading) items.push(element("li", { class: "list-heading" }, group));
      heading = group;
      items.push(this.item(conversation));
    }
    this.list.replaceChildren(...items);
    this.more.hidden = this.next === null;
    this.say(items.length ? "" : NOTHING);
    if (focused) this.list.querySelector(`[data-focus="${focused}"]`)?.focus();
  }

  item(conversation) {
    const { id } = conversation;
    const title = conversation.title || NEW;
    const link = element(
      "a",
      {
        class: "conversation-link",
        href: `/c/${id}`,
        title,
        "data-focus": `open-${id}`,
        "aria-current": id === this.current ? "page" : undefined,
        onclick: (event) => {
          if (event.metaKey || event.ctrlKey || event.shiftKey) return;
          event.preventDefault();
          this.onOpen(id);
        },
      },
      title,
    );
    const item = element("li", {
      class: `conversation${id === this.current ? " current" : ""}`,
      "data-testid": "conversation-item",
    });
    const dot = element("span", { class: "writing-dot", role: "img", "aria-label": "Being answered" });
    const tool = (name, label, testid, onclick) =>
      iconButton(name, `${label}: ${title}`, {
        title: label, "data-testid": testid, "data-focus": `${testid}-${id}`, onclick,
      });
    item.append(
      ...(this.writing.has(id) ? [dot] : []),
      link,
      element(
        "div",
        { class: "conversation-tools" },
        tool("edit", "Rename", "rename-conversation", () => this.rename(item, conversation)),
        tool("trash", "Delete", "delete-conversation", () => this.remove(conversation)),
      ),
    );
    return item;
  }

  rename(item, conversation) {
    const input = element("input", {
      class: "input rename",
      "aria-label": "New title",
      "data-testid": "rename-input",
      maxlength: 200,
      value: conversation.title,
    });
    this.renaming = conversation.id;
    item.replaceChildren(input);
    input.select();
    const finish = async (keep, focus) => {
      if (this.renaming !== conversation.id) return;
      this.renaming = null;
      const title = input.value.trim();
      let failure = "";
      if (keep && title && title !== conversation.title) {
        try {
          this.retitled(await changeConversation(conversation.id, { title }));
        } catch (error) {
          if (!(error instanceof ApiError)) throw error;
          failure = error.detail.message;
        }
      }
      this.draw();
      if (failure) this.say(failure);
      if (focus) this.list.querySelector(`[data-focus="rename-conversation-${conversation.id}"]`)?.focus();
    };
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.isComposing) finish(true, true);
      if (event.key !== "Escape") return;
      event.preventDefault();
      finish(false, true);
    });
    input.addEventListener("blur", () => finish(true, false));
  }

  async remove(conversation) {
    const sure = await confirmDeletion({
      title: "Delete this conversation?",
      text: `“${conversation.title || NEW}” and all its messages will be gone. This cannot be undone.`,
      action: "Delete",
    });
    if (!sure) return;
    try {
      await deleteConversation(conversation.id);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status !== 404) return this.say(error.detail.message);
    }
    this.changes += 1;
    this.conversations = this.conversations.filter((other) => other.id !== conversation.id);
    this.draw();
    this.onDeleted(conversation.id);
  }
}

function age(moment) {
  const today = new Date().setHours(0, 0, 0, 0);
  const then = new Date(moment).getTime();
  if (then >= today) return "Today";
  if (then >= today - DAY) return "Yesterday";
  if (then >= today - 7 * DAY) return "The last 7 days";
  return "Earlier";
}
