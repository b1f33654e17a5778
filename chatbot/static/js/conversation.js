// The open conversation: its messages, and the answers that are being written.

import { announce } from "./announcer.js";
import { Answer } from "./answer.js";
import { askQuestion, continueAnswer, followAnswer } from "./answer-stream.js";
import { ApiError, changeConversation, createConversation, getMessages, titleConversation } from "./api.js";
import { Branches } from "./branches.js";
import { element, errorCard } from "./elements.js";
import { LiveAnswer } from "./live-answer.js";
import { Question } from "./question.js";
import { Scroll } from "./scroll.js";

export class Conversation {
  /**
   * `composer`, `sidebar` and `tabs` are the page's. `onOpened(conversation)` is called when the
   * view shows another one (null: a new one), `onFailed()` when the model failed.
   */
  constructor({ composer, sidebar, tabs, onOpened, onFailed }) {
    Object.assign(this, { composer, sidebar, tabs, onOpened, onFailed });
    this.list = document.getElementById("messages");
    this.empty = document.getElementById("empty");
    this.loading = document.getElementById("loading");
    this.scroll = new Scroll();
    // Answers in progress by conversation, so that one goes on while another conversation is read.
    this.live = new Map();
    // Questions that were not taken while another conversation was read, by conversation.
    this.drafts = new Map();
    this.clear(null);
    this.actions = {
      retry: (answer) => this.ask({ parent_id: answer.parent_id }),
      edit: (question, text) =>
        this.ask({ content: text, parent_id: question.parent_id }, { text, files: [] }),
      goOn: (answer) => this.goOn(answer),
      fresh: () => {
        this.composer.focus();
        this.open(null);
      },
      siblings: (id) => this.branches.siblings(id),
      choose: (id, name) => this.choose(id, name),
    };
  }

  clear(id) {
    this.id = id;
    this.shown = id === null;
    this.settings = {};
    this.branches = new Branches();
    this.views = new Map();
    this.leaf = null;
    this.list.replaceChildren();
  }

  /** Show a conversation; null for a new one. `messageId`: and this message of it. */
  async open(id, messageId = null) {
    this.clear(id);
    this.empty.hidden = id !== null;
    this.onOpened(id === null ? null : { id, ...this.sidebar.get(id) });
    this.drawBusy();
    if (this.drafts.has(id)) this.composer.giveBack(this.drafts.get(id));
    this.drafts.delete(id);
    if (id === null) return;
    this.opening = this.load(id, messageId);
    await this.opening;
  }

  async load(id, messageId) {
    this.loading.hidden = false;
    try {
      const { conversation, messages } = await getMessages(id);
      if (this.id !== id) return;
      this.shown = true;
      this.settings = conversation.settings;
      this.onOpened(conversation);
      this.show(messages, messageId);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (this.id === id) this.list.replaceChildren(errorCard(error, [this.reload(id)]));
    } finally {
      if (this.id === id) this.loading.hidden = true;
    }
  }

  reload(id) {
    return element("button", { type: "button", class: "button", onclick: () => this.open(id) }, "Load again");
  }

  show(messages, messageId) {
    const live = this.live.get(this.id);
    this.branches = new Branches(messages);
    if (live?.data) this.branches.put(live.data);
    const wanted = messageId ?? sessionStorage.getItem(`leaf:${this.id}`);
    const from = this.branches.get(wanted) ? wanted : null;
    this.leaf = from ? this.branches.leafOf(from) : this.branches.newest();
    this.draw();
    if (messageId && this.views.has(messageId)) this.point(messageId);
    else this.scroll.follow(true);
    const writing = messages.find((message) => message.status === "streaming");
    if (writing && !live) this.follow(writing);
  }

  /** Bring the list in step with the chosen path. Views that stay are not touched. */
  draw() {
    const path = this.branches.path(this.leaf);
    path.forEach((message, index) => {
      const view = this.view(message);
      const there = this.list.children[index];
      if (there !== view.element) this.list.insertBefore(view.element, there ?? null);
    });
    while (this.list.children.length > path.length) this.list.lastChild.remove();
    this.empty.hidden = path.length > 0 || this.id !== null;
  }

  view(message) {
    let view = this.views.get(message.id);
    if (!view) {
      view =
        message.role === "user"
          ? new Question(message, this.actions)
          : new Answer(message, this.actions, () => this.scroll.follow());
      this.views.set(message.id, view);
    }
    return view;
  }

  point(messageId) {
    const view = this.views.get(messageId);
    view.show?.();
    this.scroll.show(view.element);
    view.element.classList.add("found");
    view.element.setAttribute("tabindex", "-1");
    view.element.focus({ preventScroll: true });
  }

  /** Show another version of a message, with the newest that followed it. */
  choose(id, name) {
    this.leaf = this.branches.leafOf(id);
    sessionStorage.setItem(`leaf:${this.id}`, this.leaf);
    this.draw();
    const view = this.views.get(id);
    view.show?.();
    view.draw();
    const buttons = [...view.element.querySelectorAll(".branches button")];
    (buttons.find((button) => button.dataset.testid === `branch-${name}` && !button.disabled) ??
      buttons.find((button) => !button.disabled)).focus();
  }

  /** Ask a question after what is shown, in the open conversation or in a new one. */
  async send(sent) {
    const { id } = this;
    if (!this.shown) {
      // What the question follows is not known yet.
      this.composer.setBusy(true);
      await this.opening;
      if (this.id !== id || !this.shown || this.live.has(id)) return this.giveBack(id, sent);
    }
    const more = sent.files.length ? { attachments: sent.files.map((file) => file.id) } : {};
    await this.ask({ content: sent.text, parent_id: this.leaf, ...more }, sent);
  }

  /** A question was not taken: it stands in the field again, of its own conversation. */
  giveBack(id, sent) {
    if (this.id === id) this.composer.giveBack(sent);
    else this.drafts.set(id, sent);
    this.drawBusy();
  }

  /** `sent`: what comes back to the field where the question is not taken. */
  async ask(body, sent = null) {
    let id = this.id;
    this.composer.setBusy(true);
    if (id === null) {
      try {
        id = await this.create();
      } catch (error) {
        return this.refused(this.id, error, sent);
      }
    }
    await this.run(id, askQuestion(id, body), sent);
  }

  async create() {
    const conversation = await createConversation();
    this.id = conversation.id;
    this.sidebar.put(conversation);
    if (Object.keys(this.settings).length) {
      await changeConversation(conversation.id, { settings: this.settings });
    }
    this.onOpened(conversation);
    return conversation.id;
  }

  goOn(answer) {
    return this.run(this.id, continueAnswer(answer.id), null, answer);
  }

  /** Follow an answer that an earlier page, or another tab, has asked for. */
  follow(answer) {
    return this.run(answer.conversation_id, followAnswer(answer.id), null, answer);
  }

  async run(id, open, sent, known = null) {
    if (this.live.has(id)) {
      if (sent !== null) this.giveBack(id, sent);
      return;
    }
    const live = new LiveAnswer({
      known,
      onStart: (start) => this.started(id, live, start),
      onChange: () => this.viewOf(live)?.update(),
      onEnd: () => this.ended(id, live),
    });
    this.live.set(id, live);
    this.drawBusy();
    this.list.querySelectorAll(":scope > .card").forEach((node) => node.remove());
    try {
      await live.read(open);
    } catch (error) {
      this.refused(id, error, sent);
    }
  }

  viewOf(live) {
    return live.data && this.views.get(live.data.id);
  }

  started(id, live, { conversation, question }) {
    this.sidebar.put(conversation);
    this.sidebar.mark(id, true);
    this.tabs.tell(id);
    if (this.id !== id) return;
    this.onOpened(conversation);
    if (!this.branches.get(question.id)) this.branches.put(question);
    this.branches.put(live.data);
    this.leaf = live.data.id;
    sessionStorage.setItem(`leaf:${id}`, this.leaf);
    this.draw();
    const view = this.viewOf(live);
    view.speak();
    view.update();
    // The versions of what stands beside the new messages have changed.
    this.views.get(question.id)?.draw();
    this.scroll.follow(true);
    announce("The model is answering.");
  }

  ended(id, live) {
    if (this.live.get(id) === live) this.live.delete(id);
    this.sidebar.mark(id, false);
    this.viewOf(live)?.update();
    this.tabs.tell(id);
    this.drawBusy();
    if (this.id === id && live.data.status === "stopped") announce("The answer was stopped.");
    if (live.data.error) this.onFailed();
    if (live.data.status === "complete") this.title(id);
  }

  /** Let the model write the title, once; without one the question's words stay. */
  async title(id) {
    if (this.sidebar.get(id)?.title_by !== "question") return;
    try {
      const titled = await titleConversation(id);
      // The reader's own may have been given since.
      if (this.sidebar.get(id)?.title_by !== "owner") this.sidebar.retitled(titled);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  }

  refused(id, error, sent) {
    if (!(error instanceof ApiError)) throw error;
    this.live.delete(id);
    this.sidebar.mark(id, false);
    if (sent !== null) this.giveBack(id, sent);
    else this.drawBusy();
    if (this.id !== id) return;
    this.empty.hidden = true;
    this.list.append(errorCard(error));
    this.scroll.follow(true);
    this.onFailed();
  }

  async stop() {
    try {
      await this.live.get(this.id)?.stop();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // The answer goes on, so the button must be there again.
      this.drawBusy();
    }
  }

  /** Another tab has changed a conversation. */
  async changedElsewhere(id) {
    if (this.id === id && !this.live.has(id)) await this.open(id);
  }

  drawBusy() {
    this.composer.setBusy(this.live.has(this.id));
  }
}
