// What stands below an answer: its sources, the buttons, its versions, and what it cost.

import { branchSwitch } from "./branch-switch.js";
import { copyButton } from "./copy-button.js";
import { duration, element, iconButton } from "./elements.js";
import { ratingButtons } from "./rating.js";
import { sourceList } from "./sources.js";

/** The elements below an answer that has ended. */
export function answerFoot(data, actions) {
  const sources = sourceList(data.tool_calls);
  const copy = copyButton(() => data.content, "", "Copy answer");
  copy.className = "icon-button small";
  copy.dataset.testid = "copy-answer";
  copy.title = "Copy answer";
  const row = element(
    "div",
    { class: "answer-row" },
    element(
      "div",
      { class: "message-tools kept" },
      branchSwitch(actions.siblings(data.id), "answer", actions.choose),
      data.content ? copy : null,
      data.content
        ? iconButton("retry", "Answer again", {
            "data-testid": "regenerate",
            onclick: () => actions.retry(data),
          })
        : null,
      ...(data.content ? ratingButtons(data) : []),
    ),
    data.content ? cost(data) : null,
  );
  return element("div", { class: "answer-foot" }, sources, row);
}

/** Tokens, pace, and how full the model's context is. */
function cost({ timings, usage, model, agent }) {
  const facts = [];
  const about = usage?.estimated ? "about " : "";
  if (timings?.tokens_per_second) {
    facts.push(fact(`${pace(timings.tokens_per_second)} tokens/s`, "How fast the model wrote"));
  }
  if (timings) {
    facts.push(fact(`first token after ${duration(timings.first_token_ms)}`, "How long the model took to begin"));
  }
  if (usage?.completion_tokens) {
    facts.push(fact(`${about}${usage.completion_tokens} ${usage.completion_tokens === 1 ? "token" : "tokens"}`, "How long the answer is"));
  }
  if (usage?.context_limit) facts.push(contextMeter(usage));
  if (usage?.dropped_messages) {
    facts.push(fact(`${usage.dropped_messages} oldest messages left out`, "They no longer fit into the model's context"));
  }
  if (!facts.length) return null;
  const by = [model, agent].filter(Boolean).join(", ");
  return element(
    "div",
    { class: "figures", "data-testid": "figures", role: "group", "aria-label": "What this answer cost", title: by },
    ...facts,
  );
}

/** Tokens per second, with a decimal only where that says something. */
const pace = (rate) => (rate < 100 ? rate : Math.round(rate));

const fact = (words, title) => element("span", { class: "fact", title }, words);

function contextMeter({ prompt_tokens: prompt, completion_tokens: written, context_limit: limit }) {
  const used = Math.min((prompt ?? 0) + (written ?? 0), limit);
  const share = Math.round((100 * used) / limit);
  const words = `${share}% of context`;
  const meter = element("meter", {
    class: "meter", min: 0, max: limit, high: limit * 0.8, optimum: 0, value: used,
    "aria-label": "Context used", "data-testid": "context-meter",
  });
  return element(
    "span",
    { class: "fact", title: `${used} of the ${limit} tokens that the model can read` },
    meter,
    words,
  );
}
