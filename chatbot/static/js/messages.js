// One message on the page.

import { copyButton, element, icon } from "./elements.js";
import { renderMarkdown } from "./markdown.js";

/** A user's message. */
export function userMessage(message) {
  return element(
    "article",
    { class: "message user", "data-testid": "message-user", "aria-label": "You" },
    element("div", { class: "bubble" }, message.content),
  );
}

/**
 * A message of the assistant that can grow: change `data`, then call `update()`.
 * `onRetry(data)` is called when the reader wants the question answered again.
 */
export class AssistantMessage {
  constructor(data, onRetry) {
    this.data = data;
    this.onRetry = onRetry;
    this.reasoningText = element("div");
    this.reasoning = element(
      "details",
      { class: "reasoning" },
      element("summary", {}, "Reasoning"),
      this.reasoningText,
    );
    this.prose = element("div", { class: "prose", "data-testid": "answer-text" });
    this.foot = element("div", { class: "foot" });
    this.element = element("article", {
      class: "message assistant",
      "data-testid": "message-assistant",
      "aria-label": "Assistant",
    });
    this.element.append(this.prose, this.foot);
    this.frame = null;
    this.draw();
  }

  /** Draw at the next frame; many changes between two frames cost one drawing. */
  update() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.draw();
    });
  }

  draw() {
    const { content, reasoning, status } = this.data;
    this.element.dataset.status = status;
    this.element.setAttribute("aria-busy", String(status === "streaming"));
    if (reasoning && !this.reasoning.parentNode) this.element.prepend(this.reasoning);
    if (reasoning && this.reasoningText.textContent !== reasoning) {
      this.reasoningText.textContent = reasoning;
    }
    renderMarkdown(this.prose, content);
    this.prose.hidden = !content;
    this.foot.replaceChildren(...this.footer());
    this.ondraw?.();
  }

  footer() {
    const { status, content, reasoning } = this.data;
    if (status === "streaming") {
      return content ? [] : [waiting(reasoning ? "Reasoning" : "Waiting for the model")];
    }
    return [this.card(), content ? this.figures() : null].filter(Boolean);
  }

  card() {
    const { status, error, content, finish_reason: reason, saved } = this.data;
    if (saved === false) {
      return card("bad", "This answer could not be saved.", "Copy it now if you need it: the database did not answer.");
    }
    if (error) return card("bad", error.message, error.next_step, this.retryButton());
    if (status === "stopped") {
      return card("", content ? "You stopped this answer." : "You stopped it before the first word.", "", this.retryButton());
    }
    if (status === "interrupted") {
      return card("", "The answer was cut off before its end.", "What had come is kept.", this.retryButton());
    }
    if (reason === "length") {
      return card("", "The answer reached its greatest length.", "Ask for the rest, or for a shorter answer.");
    }
    return content ? null : card("", "The model answered with nothing.", "Ask in other words.", this.retryButton());
  }

  retryButton() {
    const attributes = {
      type: "button",
      class: "button",
      "data-testid": "retry",
      onclick: () => this.onRetry(this.data),
    };
    return element("button", attributes, icon("retry", "icon-small"), "Try again");
  }

  figures() {
    const { timings, usage } = this.data;
    const facts = [];
    if (timings?.tokens_per_second) facts.push(`${timings.tokens_per_second} tokens/s`);
    if (timings) facts.push(`first token after ${duration(timings.first_token_ms)}`);
    if (usage?.completion_tokens) {
      facts.push(`${usage.estimated ? "about " : ""}${usage.completion_tokens} tokens`);
    }
    if (usage?.dropped_messages) {
      facts.push(`${usage.dropped_messages} oldest messages no longer fit and were left out`);
    }
    const line = element("div", { class: "figures", "data-testid": "figures" });
    line.append(
      copyButton(() => this.data.content),
      ...facts.map((fact) => element("span", {}, fact)),
    );
    return line;
  }
}

/** A card: what happened, the next step, and perhaps a button. */
export function card(kind, title, text, button) {
  return element(
    "div",
    { class: `card ${kind}`, "data-testid": kind === "bad" ? "error-card" : "card", role: kind === "bad" ? "alert" : undefined },
    icon("alert", "icon-lead"),
    element(
      "div",
      {},
      element(
        "div",
        { class: "card-words" },
        element("p", { class: "card-title" }, title),
        text ? element("p", { class: "card-text" }, text) : null,
      ),
      button,
    ),
  );
}

function waiting(label) {
  const dots = [0, 1, 2].map(() => element("i"));
  return element("span", { class: "waiting", role: "img", "aria-label": label }, ...dots);
}

function duration(milliseconds) {
  return milliseconds < 1000 ? `${milliseconds} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}
