// An answer on the page. It can grow: change `data`, then call `update()`.

import { Speaker } from "./announcer.js";
import { AnswerBody } from "./answer-body.js";
import { answerEnd } from "./answer-end.js";
import { answerFoot } from "./answer-foot.js";
import { element } from "./elements.js";
import { ReasoningPane } from "./reasoning.js";

// Pixels around the view in which messages are drawn; those farther away are plain text.
const NEAR = "1200px 0px";

const byElement = new WeakMap();
const near = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) if (entry.isIntersecting) byElement.get(entry.target)?.show();
  },
  { rootMargin: NEAR },
);

export class Answer {
  /**
   * `actions` are the conversation's: `retry(data)`, `goOn(data)`, `fresh()`, `siblings(id)`,
   * `choose(id, name)`. `onDraw()` is called after each drawing.
   */
  constructor(data, actions, onDraw) {
    this.data = data;
    this.actions = actions;
    this.onDraw = onDraw;
    this.reasoning = new ReasoningPane();
    // Plain until it comes near the view: a long conversation is there at once.
    this.body = new AnswerBody(data.content);
    this.foot = element("div", { class: "foot" });
    this.element = element("article", {
      class: "message assistant",
      "data-testid": "message-assistant",
      "data-id": data.id,
      "aria-label": "Assistant",
    });
    this.element.append(this.body.element, this.foot);
    this.frame = null;
    this.shown = false;
    this.speaker = null;
    this.element.dataset.status = data.status;
    byElement.set(this.element, this);
    near.observe(this.element);
  }

  /** Draw it in full from now on. */
  show() {
    if (this.shown) return;
    this.shown = true;
    near.unobserve(this.element);
    this.draw();
  }

  /** Speak what comes from now on. */
  speak() {
    this.show();
    this.speaker = new Speaker();
    this.speaker.spoken = this.body.blocks.length;
  }

  /** Draw at the next frame; many changes between two frames cost one drawing. */
  update() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      if (this.shown) this.draw();
    });
  }

  draw() {
    const { content, reasoning, status, tool_calls: calls } = this.data;
    const growing = status === "streaming";
    this.element.dataset.status = status;
    this.element.setAttribute("aria-busy", String(growing));
    if (reasoning && !this.reasoning.element.parentNode) this.element.prepend(this.reasoning.element);
    this.reasoning.draw(reasoning, growing && !content);
    this.body.draw(content, calls ?? [], growing);
    this.drawFoot(growing);
    this.speaker?.update(this.body.blocks, !growing || !this.body.endsInText);
    this.onDraw?.();
  }

  drawFoot(growing) {
    if (growing) {
      const waiting = this.body.endsInText ? null : (this.waiting ??= dots());
      const wanted = [...this.notices(), ...(waiting ? [waiting] : [])];
      if (wanted.length || this.foot.hasChildNodes()) this.foot.replaceChildren(...wanted);
      return;
    }
    const focus = this.foot.contains(document.activeElement)
      ? document.activeElement.dataset.testid
      : null;
    this.foot.replaceChildren(
      ...this.notices(),
      ...[answerEnd(this.data, this.actions), answerFoot(this.data, this.actions)].filter(Boolean),
    );
    if (focus) this.foot.querySelector(`[data-testid="${focus}"]`)?.focus();
  }

  notices() {
    return (this.data.notices ?? []).map(({ message }) =>
      element("p", { class: "notice", "data-testid": "notice" }, message),
    );
  }
}

function dots() {
  return element(
    "span",
    { class: "waiting", role: "img", "aria-label": "Waiting for the model" },
    ...[0, 1, 2].map(() => element("i")),
  );
}
