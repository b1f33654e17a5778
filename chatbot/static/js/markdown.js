// Markdown to safe DOM. Parsed first, sanitised last: nothing is made of HTML after DOMPurify.

import DOMPurify from "../vendor/dompurify.js";
import hljs from "../vendor/highlight.js";
import { Marked } from "../vendor/marked.js";
import { copyButton } from "./copy-button.js";
import { element } from "./elements.js";
import { drawMaths, mathsExtension } from "./maths.js";

const escape = (text) =>
  text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

const marked = new Marked({
  gfm: true,
  breaks: true,
  extensions: mathsExtension(escape),
  renderer: {
    code({ text, lang }) {
      const language = (lang ?? "").trim().split(/\s/)[0].toLowerCase();
      const known = hljs.getLanguage(language);
      const html = known ? hljs.highlight(text, { language }).value : escape(text);
      return `<pre><code class="language-${escape(language || "text")}">${html}</code></pre>`;
    },
    // HTML in an answer is shown as the text that it is.
    html: ({ text }) => escape(text),
    // An image of another server would tell it that, and what, somebody reads.
    image: ({ text, href }) => escape(text || href),
  },
});

const ALLOWED = {
  ALLOWED_TAGS: [
    "a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr",
    "input", "li", "ol", "p", "pre", "span", "strong", "table", "tbody", "td", "th", "thead",
    "tr", "ul",
  ],
  ALLOWED_ATTR: ["align", "checked", "class", "disabled", "href", "start", "type"],
  ALLOWED_URI_REGEXP: /^(?:https?:|mailto:|#)/i,
  // Values that are no addresses, and are not held against that pattern.
  ADD_URI_SAFE_ATTR: ["align", "start", "type"],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};

DOMPurify.addHook("afterSanitizeAttributes", (node) => {
  if (node.tagName === "A") {
    node.setAttribute("rel", "noopener noreferrer nofollow");
    node.setAttribute("target", "_blank");
  } else if (node.tagName === "INPUT") {
    // Only the ticks of task lists.
    if (node.getAttribute("type") !== "checkbox") node.remove();
    else node.setAttribute("aria-label", node.hasAttribute("checked") ? "Done" : "Open");
  }
});

/**
 * Show Markdown in a container, again and again while it grows. The text is cut into its top-level
 * blocks; while it grows only its end is parsed again, and only blocks that changed are drawn.
 */
export function renderMarkdown(container, text, growing) {
  const blocks = container.children;
  // What stands before the last two blocks cannot change any more; at the end all is parsed once.
  let kept = 0;
  let start = 0;
  if (growing && text.startsWith(container.markdown ?? "\0")) {
    kept = Math.max(blocks.length - 2, 0);
    start = kept ? blocks[kept].start : 0;
  }
  container.markdown = text;
  let index = kept;
  for (const token of marked.lexer(text.slice(start))) {
    if (token.type !== "space") {
      drawBlock(container, index, token, start);
      index += 1;
    }
    start += token.raw.length;
  }
  while (blocks.length > index) container.lastChild.remove();
}

function drawBlock(container, index, token, start) {
  let block = container.children[index];
  if (!block) {
    block = element("div", { class: "block" });
    container.append(block);
  }
  block.start = start;
  if (block.raw === token.raw) return;
  block.raw = token.raw;
  block.replaceChildren(DOMPurify.sanitize(marked.parser([token]), ALLOWED));
  block.querySelectorAll("pre").forEach(frameCode);
  block.querySelectorAll("table").forEach(frameTable);
  drawMaths(block);
}

function frameCode(pre) {
  const frame = element("div", { class: "code" });
  pre.replaceWith(frame);
  pre.setAttribute("tabindex", "0");
  const language = pre.firstElementChild.className.replace("language-", "");
  // A group: as landmarks, several of the same name could not be told apart.
  pre.setAttribute("role", "group");
  pre.setAttribute("aria-label", `Code, ${language}`);
  frame.append(
    element(
      "div",
      { class: "code-head" },
      element("span", { class: "code-language" }, language),
      copyButton(() => pre.textContent, "Copy", "Copy code"),
    ),
    pre,
  );
}

function frameTable(table) {
  const frame = element("div", {
    class: "table-frame", tabindex: "0", role: "group", "aria-label": "Table",
  });
  table.replaceWith(frame);
  frame.append(table);
}
