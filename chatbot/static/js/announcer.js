// What screen readers are told. The region is a log: each part is spoken once, when it is added.

import { element } from "./elements.js";

// A log that only grows would make the page heavy; what has been spoken can go.
const KEPT = 30;

/** Say something. */
export function announce(text) {
  const words = text.trim();
  if (!words) return;
  const log = document.getElementById("live");
  log.append(element("p", {}, words));
  while (log.children.length > KEPT) log.firstChild.remove();
}

/** Speaks an answer block by block while it grows: each block once, when it is whole. */
export class Speaker {
  constructor() {
    this.spoken = 0;
  }

  /** `blocks` are the answer's elements; the last one still grows unless `ended`. */
  update(blocks, ended) {
    const whole = ended ? blocks.length : blocks.length - 1;
    for (; this.spoken < whole; this.spoken += 1) announce(spoken(blocks[this.spoken]));
  }
}

function spoken(block) {
  const code = block.querySelector("pre");
  if (!code) return block.textContent;
  const language = block.querySelector(".code-language")?.textContent ?? "";
  return `Code, ${language}: ${code.textContent}`;
}
