// The open conversation: its messages, and the answers that are being written.

import { ApiError, ask, createConversation, getMessages, stopAnswer } from "./api.js";
import { announce } from "./elements.js";
import { AssistantMessage, card, userMessage } from "./messages.js";

// While another tab or an earlier page has the stream, the saved part is looked at this often.
const LOOK_AGAIN = 1000;
// Pixels from the end within which the view counts as being at the end.
const NEAR_END = 60;

export class Conversation {
  /**
   * `composer` and `sidebar` are the page's; `onOpened(id)` is called when the view shows another
   * conversation (null: a new one), `onFailed()` when the model failed.
   */
  constructor({ composer, sidebar, onOpened, onFailed }) {
    Object.assign(this, { composer, sidebar, onOpened, onFailed });
    this.list = document.getElementById("messages");
    this.empty = document.getElementById("empty");
    this.scroller = document.getElementById("scroller");
    this.toEnd = document.getElementById("to-end");
    this.id = null;
    // Answers in progress by conversation, so that one goes on while another conversation is read.
    this.live = new Map();
    this.follow = true;
    this.scroller.addEventListener("scroll", () => this.noteScroll());
    this.toEnd.addEventListener("click", () => this.scrollToEnd(true));
  }

  /** Show a conversation; null for a new one. */
  async open(id) {
    this.id = id;
    this.list.replaceChildren();
    this.empty.hidden = id !== null;
    this.onOpened(id);
    this.drawBusy();
    if (id === null) return;
    try {
      const { messages } = await getMessages(id);
      if (this.id !== id) return;
      this.show(messages);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (this.id === id) this.list.replaceChildren(errorCard(error));
    }
  }

  show(messages) {
    const live = this.live.get(this.id);
    const views = messages.map((message) => {
      if (message.role === "user") return userMessage(message);
      if (live?.data.id === message.id) return this.attach(live);
      return this.view(message).element;
    });
    this.list.replaceChildren(...views);
    this.scrollToEnd(true);
    const last = messages.at(-1);
    if (last?.status === "streaming" && !live) setTimeout(() => this.lookAgain(this.id), LOOK_AGAIN);
  }

  async lookAgain(id) {
    if (this.id === id && !this.live.has(id)) await this.open(id);
  }

  view(data) {
    const view = new AssistantMessage(data, (answer) => this.retry(answer));
    view.ondraw = () => this.follow && this.scrollToEnd();
    return view;
  }

  attach(live) {
    live.view = this.view(live.data);
    return live.view.element;
  }

  /** Ask a question in the open conversation, or in a new one. */
  async send(text) {
    let id = this.id;
    this.composer.setBusy(true);
    try {
      if (id === null) {
        const conversation = await createConversation();
        id = conversation.id;
        this.id = id;
        this.sidebar.put(conversation);
        this.onOpened(id);
      }
    } catch (error) {
      return this.refused(id, error, text);
    }
    this.empty.hidden = true;
    await this.run(id, { content: text }, text);
  }

  /** Have the question of an answer answered again. The new answer takes the old one's place. */
  async retry(answer) {
    this.composer.setBusy(true);
    await this.run(this.id, { parent_id: answer.parent_id }, null, answer.id);
  }

  async run(id, body, text, replaced) {
    const live = { data: null, view: null, stopping: false };
    this.live.set(id, live);
    this.drawBusy();
    this.list.querySelectorAll(":scope > .card").forEach((node) => node.remove());
    try {
      await ask(id, body, {
        start: (data) => this.started(id, live, data, replaced),
        delta: (data) => {
          live.data.content += data.content ?? "";
          live.data.reasoning += data.reasoning ?? "";
          live.view?.update();
        },
        end: (data) => {
          Object.assign(live.data, data);
          this.ended(id, live);
        },
      });
    } catch (error) {
      if (live.data) {
        Object.assign(live.data, { status: "interrupted", error: error.detail });
        this.ended(id, live);
      }
      this.refused(id, error, live.data ? null : text);
    }
  }

  started(id, live, { conversation, question, answer }, replaced) {
    live.data = answer;
    this.sidebar.put(conversation);
    this.sidebar.mark(id, true);
    if (live.stopping) this.stop();
    if (this.id !== id) return;
    this.onOpened(id);
    if (replaced) this.list.lastElementChild?.remove();
    else this.list.append(userMessage(question));
    this.list.append(this.attach(live));
    this.scrollToEnd(true);
    announce("The model is answering.");
  }

  ended(id, live) {
    this.live.delete(id);
    this.sidebar.mark(id, false);
    live.view?.update();
    this.drawBusy();
    if (this.id === id) announce(spoken(live.data));
    if (live.data.error) this.onFailed();
  }

  refused(id, error, text) {
    if (!(error instanceof ApiError)) throw error;
    this.live.delete(id);
    this.drawBusy();
    if (text === null || this.id !== id) return;
    this.empty.hidden = true;
    this.list.append(errorCard(error));
    this.composer.fill(text);
    this.scrollToEnd(true);
    this.onFailed();
  }

  async stop() {
    const live = this.live.get(this.id);
    if (!live) return;
    live.stopping = true;
    if (!live.data) return;
    try {
      await stopAnswer(live.data.id);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // The answer goes on, so the button must be there again.
      this.drawBusy();
    }
  }

  drawBusy() {
    this.composer.setBusy(this.live.has(this.id));
  }

  noteScroll() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    this.follow = scrollHeight - scrollTop - clientHeight < NEAR_END;
    this.toEnd.hidden = this.follow;
  }

  scrollToEnd(force = false) {
    if (force) this.follow = true;
    if (this.follow) this.scroller.scrollTop = this.scroller.scrollHeight;
    this.toEnd.hidden = this.follow;
  }
}

const errorCard = (error) => card("bad", error.detail.message, error.detail.next_step);

function spoken({ status, content, error }) {
  if (error) return "";
  if (status === "stopped") return "The answer was stopped.";
  return `The answer: ${content}`;
}
