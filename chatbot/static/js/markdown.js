// Markdown to safe DOM. Parsed first, sanitised last: nothing touches the HTML after DOMPurify.

import DOMPurify from "../vendor/dompurify.js";
import hljs from "../vendor/highlight.js";
import { Marked } from "../vendor/marked.js";
import { copyButton, element } from "./elements.js";

const escape = (text) =>
  text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

const marked = new Marked({
  gfm: true,
  breaks: true,
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
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};

DOMPurify.addHook("afterSanitizeAttributes", (node) => {
  if (node.tagName === "A") {
    node.setAttribute("rel", "noopener noreferrer nofollow");
    node.setAttribute("target", "_blank");
  } else if (node.tagName === "INPUT" && node.getAttribute("type") !== "checkbox") {
    // Only the ticks of task lists.
    node.remove();
  }
});

/**
 * Show Markdown in a container, again and again while it grows. The text is cut into its top-level
 * blocks, and only those that changed are rendered anew: usually the last one.
 */
export function renderMarkdown(container, text) {
  const tokens = marked.lexer(text).filter((token) => token.type !== "space");
  tokens.forEach((token, index) => {
    let block = container.children[index];
    if (block?.raw === token.raw) return;
    if (!block) {
      block = element("div", { class: "block" });
      container.append(block);
    }
    block.raw = token.raw;
    block.replaceChildren(DOMPurify.sanitize(marked.parser([token]), ALLOWED));
    block.querySelectorAll("pre").forEach(frameCode);
  });
  while (container.children.length > tokens.length) container.lastChild.remove();
}

function frameCode(pre) {
  const frame = element("div", { class: "code" });
  pre.replaceWith(frame);
  pre.setAttribute("tabindex", "0");
  const language = pre.firstElementChild.className.replace("language-", "");
  const head = element("div", { class: "code-head" });
  head.append(
    element("span", {}, language),
    copyButton(() => pre.textContent),
  );
  frame.append(head, pre);
}
