// The list of conversations: open, rename, delete.

import { ApiError, deleteConversation, listConversations, renameConversation } from "./api.js";
import { element, icon } from "./elements.js";

const DAY = 86_400_000;

export class Sidebar {
  /** `onOpen(id)` and `onDeleted(id)` are called when the reader does that. */
  constructor({ onOpen, onDeleted, onRenamed }) {
    this.onOpen = onOpen;
    this.onDeleted = onDeleted;
    this.onRenamed = onRenamed;
    this.list = document.getElementById("conversations");
    this.note = document.getElementById("list-note");
    this.dialog = document.getElementById("delete-dialog");
    this.conversations = [];
    this.current = null;
    this.writing = new Set();
    this.renaming = null;
    this.wireDrawer();
  }

  async load() {
    try {
      this.conversations = await listConversations();
      this.draw();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.list.replaceChildren();
      this.say(`${error.detail.message} ${error.detail.next_step}`);
    }
  }

  /** Put a new or changed conversation where it belongs: at the top. */
  put(conversation) {
    this.conversations = [
      conversation,
      ...this.conversations.filter((other) => other.id !== conversation.id),
    ];
    this.draw();
  }

  select(id) {
    this.current = id;
    this.draw();
  }

  /** Show with a dot that a conversation's answer is being written. */
  mark(id, writing) {
    if (writing) this.writing.add(id);
    else this.writing.delete(id);
    this.draw();
  }

  title(id) {
    return this.conversations.find((conversation) => conversation.id === id)?.title;
  }

  say(text) {
    this.note.textContent = text;
    this.note.hidden = !text;
  }

  draw() {
    if (this.renaming) return;
    const items = [];
    let heading = null;
    for (const conversation of this.conversations) {
      const group = age(conversation.updated_at);
      if (group !== heading) items.push(element("li", { class: "list-heading" }, group));
      heading = group;
      items.push(this.item(conversation));
    }
    this.list.replaceChildren(...items);
    this.say(items.length ? "" : "Your conversations will be listed here. They stay on this server.");
  }

  item(conversation) {
    const { id } = conversation;
    const title = conversation.title || "New conversation";
    const link = element(
      "a",
      {
        class: "conversation-link",
        href: `/c/${id}`,
        title,
        "aria-current": id === this.current ? "page" : undefined,
        onclick: (event) => {
          if (event.metaKey || event.ctrlKey || event.shiftKey) return;
          event.preventDefault();
          this.close();
          this.onOpen(id);
        },
      },
      title,
    );
    const tool = (name, label, testid, onclick) =>
      element(
        "button",
        { type: "button", class: "icon-button", "aria-label": `${label}: ${title}`, title: label, "data-testid": testid, onclick },
        icon(name, "icon-small"),
      );
    const item = element("li", {
      class: `conversation${id === this.current ? " current" : ""}`,
      "data-testid": "conversation-item",
    });
    item.append(
      ...(this.writing.has(id) ? [element("span", { class: "writing-dot", role: "img", "aria-label": "Being answered" })] : []),
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
      class: "rename",
      "aria-label": "New title",
      "data-testid": "rename-input",
      maxlength: 200,
      value: conversation.title,
    });
    this.renaming = conversation.id;
    item.replaceChildren(input);
    input.select();
    const finish = async (keep) => {
      if (this.renaming !== conversation.id) return;
      this.renaming = null;
      const title = input.value.trim();
      if (keep && title && title !== conversation.title) {
        try {
          Object.assign(conversation, await renameConversation(conversation.id, title));
          this.onRenamed(conversation);
        } catch (error) {
          if (!(error instanceof ApiError)) throw error;
          this.draw();
          this.say(error.detail.message);
          return;
        }
      }
      this.draw();
    };
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.isComposing) finish(true);
      if (event.key === "Escape") finish(false);
    });
    input.addEventListener("blur", () => finish(true));
  }

  remove(conversation) {
    document.getElementById("delete-name").textContent = conversation.title || "New conversation";
    this.dialog.returnValue = "";
    this.dialog.addEventListener(
      "close",
      async () => {
        if (this.dialog.returnValue !== "delete") return;
        try {
          await deleteConversation(conversation.id);
        } catch (error) {
          if (!(error instanceof ApiError)) throw error;
          if (error.status !== 404) return this.say(error.detail.message);
        }
        this.conversations = this.conversations.filter((other) => other.id !== conversation.id);
        this.draw();
        this.onDeleted(conversation.id);
      },
      { once: true },
    );
    this.dialog.showModal();
  }

  wireDrawer() {
    const open = document.getElementById("open-sidebar");
    const side = document.getElementById("sidebar");
    const scrim = document.getElementById("scrim");
    const show = (visible) => {
      side.classList.toggle("open", visible);
      scrim.hidden = !visible;
      open.setAttribute("aria-expanded", String(visible));
    };
    this.close = () => show(false);
    open.addEventListener("click", () => {
      show(true);
      document.getElementById("close-sidebar").focus();
    });
    document.getElementById("close-sidebar").addEventListener("click", () => {
      show(false);
      open.focus();
    });
    scrim.addEventListener("click", this.close);
    side.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !this.renaming) this.close();
    });
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
