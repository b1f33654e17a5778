// The text of an answer, with the tools that it called where it called them.

import { element } from "./elements.js";
import { renderMarkdown } from "./markdown.js";
import { ToolTrace } from "./tool-trace.js";

const prose = () => element("div", { class: "prose", "data-testid": "answer-text" });

export class AnswerBody {
  constructor(text) {
    // Plain until it is drawn.
    this.plain = prose();
    this.plain.textContent = text;
    this.element = element("div", { class: "answer-body" }, this.plain);
    this.parts = [];
  }

  draw(content, calls, growing) {
    this.plain?.remove();
    this.plain = null;
    const wanted = partsOf(content, calls);
    while (this.parts.length > wanted.length) this.parts.pop().remove();
    wanted.forEach((part, index) => {
      this.parts[index] ??= new Part(this.element);
      this.parts[index].draw(part, growing && index === wanted.length - 1);
    });
  }

  /** The blocks of its text, in order. */
  get blocks() {
    return this.parts.flatMap((part) => [...part.text.children]);
  }

  /** Whether text is what it ends with. */
  get endsInText() {
    return Boolean(this.parts.at(-1)?.shown);
  }
}

/** A stretch of text, and the tools that were called after it. */
class Part {
  constructor(parent) {
    this.parent = parent;
    this.text = prose();
    this.tools = new ToolTrace();
    this.shown = false;
    this.drawn = null;
  }

  draw({ text, calls }, growing) {
    // What has ended is not parsed again at each word of what follows it.
    const state = growing ? null : text;
    if (state === null || state !== this.drawn) renderMarkdown(this.text, text, growing);
    this.drawn = state;
    this.shown = Boolean(text.trim());
    if (!this.shown) this.text.remove();
    else if (!this.text.parentNode) this.parent.insertBefore(this.text, this.tools.element.parentNode && this.tools.element);
    this.tools.draw(calls);
    if (calls.length && !this.tools.element.parentNode) this.parent.append(this.tools.element);
  }

  remove() {
    this.text.remove();
    this.tools.element.remove();
  }
}

/** Cut a text at its tool calls; the last part is what was said after all of them. */
function partsOf(content, calls) {
  const parts = [];
  // Places are counted in code points.
  const signs = calls.length ? Array.from(content) : [];
  let from = 0;
  for (const call of [...calls].sort((one, other) => one.content_offset - other.content_offset)) {
    const last = parts.at(-1);
    if (last && call.content_offset <= from) {
      last.calls.push(call);
      continue;
    }
    parts.push({ text: signs.slice(from, call.content_offset).join(""), calls: [call] });
    from = call.content_offset;
  }
  parts.push({ text: calls.length ? signs.slice(from).join("") : content, calls: [] });
  return parts;
}
