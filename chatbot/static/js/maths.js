// Formulas: $…$, $$…$$, \(…\) and \[…\], drawn by KaTeX, which is loaded with the first formula.

import DOMPurify from "../vendor/dompurify.js";

// A dollar that begins a formula has no space after it, one that ends it none before and no digit
// after: "$5 and $6" is money.
const INLINE = [/^\$(?!\s|\$)((?:\\.|[^\\$\n])+?)(?<!\s)\$(?!\d)/, /^\\\(([\s\S]+?)\\\)/];
const BLOCK = [/^ {0,3}\$\$([\s\S]+?)\$\$[ \t]*(?:\n|$)/, /^ {0,3}\\\[([\s\S]+?)\\\][ \t]*(?:\n|$)/];
const INLINE_DISPLAY = [/^\$\$([^$\n]+?)\$\$/, /^\\\[([\s\S]+?)\\\]/];

const KATEX = {
  displayMode: false,
  output: "htmlAndMathml",
  throwOnError: true,
  // What it does not know, and what it is not trusted with, is shown as its name.
  errorColor: "currentcolor",
  strict: "ignore",
  trust: false,
  maxExpand: 200,
  maxSize: 30,
};

// KaTeX makes nodes, not HTML. They are checked all the same, in place, as everything else is.
const SAFE = {
  IN_PLACE: true,
  ADD_TAGS: ["semantics", "annotation"],
  ADD_ATTR: ["encoding"],
  FORBID_ATTR: ["href", "src"],
};

let katex = null;

/** What marked must know; formulas become placeholders, which DOMPurify lets through. */
export function mathsExtension(escape) {
  const html = (display) => ({ text }) =>
    `<span class="maths${display ? " display" : ""}">${escape(text)}</span>`;
  const token = (type, patterns) => (source) => {
    for (const pattern of patterns) {
      const found = pattern.exec(source);
      if (found) return { type, raw: found[0], text: found[1].trim() };
    }
    return undefined;
  };
  // Where a formula may begin: a block of its own only at the beginning of a line.
  const starts = { block: /\n {0,3}(?:\$\$|\\\[)/, inline: /\$|\\\(|\\\[/ };
  const extension = (name, level, patterns, display) => ({
    name,
    level,
    start: (source) => starts[level].exec(source)?.index,
    tokenizer: token(name, patterns),
    renderer: html(display),
  });
  return [
    extension("mathsBlock", "block", BLOCK, true),
    extension("mathsDisplay", "inline", INLINE_DISPLAY, true),
    extension("mathsInline", "inline", INLINE, false),
  ];
}

/** Draw the formulas of a block. Until KaTeX is there their source is shown. */
export async function drawMaths(block) {
  const places = [...block.querySelectorAll("span.maths")];
  if (!places.length) return;
  katex ??= await import("../vendor/katex.js").then((loaded) => loaded.default);
  for (const place of places) {
    const source = place.textContent;
    const drawn = document.createElement("span");
    const displayMode = place.classList.contains("display");
    try {
      katex.render(source, drawn, { ...KATEX, displayMode });
    } catch {
      // What is no formula stays the text that it is.
      continue;
    }
    place.replaceChildren(DOMPurify.sanitize(drawn, SAFE));
    if (displayMode) {
      place.tabIndex = 0;
      place.setAttribute("role", "group");
      place.setAttribute("aria-label", "Formula");
    }
  }
}
