// Why an answer ended, where that is not plain to see, and what can be done next.

import { card, element, icon } from "./elements.js";

/** A card; null for an answer that simply ended. */
export function answerEnd(data, actions) {
  const { status, error, content, finish_reason: reason, saved } = data;
  const retry = () => button("retry", "retry", "Try again", () => actions.retry(data));
  const goOn = () =>
    button("continue", "next", "Continue", () => actions.goOn(data), "primary");
  const fresh = () => button("fresh", "plus", "New conversation", actions.fresh);
  const next = content ? [goOn(), retry()] : [retry()];
  if (saved === false) {
    return card(
      "warn",
      "This answer is not saved yet.",
      "The database does not answer. The answer is saved as soon as it is back; copy it if you must leave now.",
    );
  }
  if (error?.code === "context_overflow") {
    return card("bad", error.message, error.next_step, [fresh()]);
  }
  if (error) {
    return card("bad", error.message, error.next_step, status === "interrupted" ? next : [retry()]);
  }
  if (status === "stopped") {
    const title = content ? "You stopped this answer." : "You stopped it before the first word.";
    return card("", title, "", next);
  }
  if (status === "interrupted") {
    return card("warn", "The answer was cut off before its end.", "What had come is kept.", next);
  }
  if (reason === "length") {
    return card(
      "",
      "The answer reached its greatest length.",
      "The model was allowed no more tokens.",
      [goOn()],
    );
  }
  if (content) return null;
  return card("", "The model answered with nothing.", "Ask in other words, or try again.", [retry()]);
}

function button(testid, name, label, onclick, kind = "") {
  return element(
    "button",
    { type: "button", class: `button ${kind}`, "data-testid": testid, onclick },
    icon(name, "icon-small"),
    label,
  );
}
