// The field for questions, with its attachments, its send and its stop button.

import { Attachments } from "./attachments.js";

export class Composer {
  /** `onSend({ text, files })` and `onStop()` are called when the reader does that. */
  constructor({ onSend, onStop }) {
    this.field = document.getElementById("composer");
    this.send = document.getElementById("send");
    this.stop = document.getElementById("stop");
    this.busy = false;
    this.onSend = onSend;
    this.onStop = onStop;
    this.attachments = new Attachments(() => this.draw());
    document.getElementById("composer-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    this.field.addEventListener("input", () => this.draw());
    this.field.addEventListener("keydown", (event) => {
      // While an input method composes a character, Enter belongs to it.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.submit();
    });
    this.stop.addEventListener("click", () => this.halt());
    this.draw();
  }

  submit() {
    const text = this.field.value.trim();
    if (!text || this.busy || this.attachments.pending) return;
    this.fill("");
    this.onSend({ text, files: this.attachments.take() });
  }

  /** What was sent and not taken comes back, before what has been typed since. */
  giveBack({ text, files }) {
    this.attachments.put(files);
    this.fill([text, this.field.value].filter(Boolean).join("\n\n"));
  }

  /** End the answer that is being written; returns whether there is one. */
  halt() {
    if (!this.busy || this.stop.disabled) return false;
    // A disabled button loses the focus to nowhere.
    if (document.activeElement === this.stop) this.focus();
    this.stop.disabled = true;
    this.onStop();
    return true;
  }

  fill(text) {
    this.field.value = text;
    this.draw();
  }

  focus() {
    this.field.focus();
  }

  /** While an answer is written there is a stop button in place of the send button. */
  setBusy(busy) {
    const focused = document.activeElement === this.stop || document.activeElement === this.send;
    this.busy = busy;
    this.stop.disabled = false;
    this.draw();
    if (focused) this.focus();
  }

  draw() {
    this.send.hidden = this.busy;
    this.stop.hidden = !this.busy;
    this.send.disabled = !this.field.value.trim() || this.attachments?.pending;
    this.field.style.height = "auto";
    this.field.style.height = `${this.field.scrollHeight}px`;
  }
}
