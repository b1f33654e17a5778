// An answer in progress: takes its events in, whoever shows it.

import { ApiError, stopAnswer } from "./api.js";
import { answerEvents } from "./answer-stream.js";

export class LiveAnswer {
  /**
   * `known` is the answer where it exists already. `onStart({conversation, question, answer})`
   * is called at its begin, `onChange()` at each change, `onEnd()` when it has ended (again, when
   * an answer that was not saved is saved).
   */
  constructor({ known = null, onStart, onChange, onEnd }) {
    Object.assign(this, { data: known, onStart, onChange, onEnd });
    this.stopping = false;
  }

  /** Read to the end. Throws an ApiError where the application refuses, or goes away. */
  async read(open) {
    try {
      for await (const { name, data } of answerEvents(open)) this.take(name, data);
    } catch (error) {
      if (this.data && error instanceof ApiError && this.data.status === "streaming") {
        Object.assign(this.data, { status: "interrupted", error: error.detail });
        this.onEnd();
        return;
      }
      throw error;
    }
  }

  take(name, data) {
    if (name === "start") {
      // After a reload this is the answer as it was at its begin; all that came since follows.
      this.data = Object.assign(this.data ?? {}, data.answer);
      this.onStart(data);
      if (this.stopping) this.stop();
    } else if (name === "snapshot") {
      this.data = Object.assign(this.data ?? {}, data.message);
      this.onChange();
    } else if (name === "delta") {
      this.data.content += data.content ?? "";
      this.data.reasoning += data.reasoning ?? "";
      this.onChange();
    } else if (name === "tool") {
      const others = (this.data.tool_calls ?? []).filter((call) => call.id !== data.id);
      const at = (this.data.tool_calls ?? []).findIndex((call) => call.id === data.id);
      others.splice(at < 0 ? others.length : at, 0, data);
      this.data.tool_calls = others;
      this.onChange();
    } else if (name === "notice") {
      this.data.notices = [...(this.data.notices ?? []), data];
      this.onChange();
    } else if (name === "end") {
      Object.assign(this.data, data);
      this.onEnd();
    } else if (name === "saved") {
      this.data.saved = true;
      this.onEnd();
    }
  }

  /** End it. Before the server has named it, it is stopped as soon as it does. */
  async stop() {
    this.stopping = true;
    if (this.data?.id) await stopAnswer(this.data.id);
  }
}
