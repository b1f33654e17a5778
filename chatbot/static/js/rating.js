// What the reader thinks of an answer: up, down, and a word about it.

import { announce } from "./announcer.js";
import { ApiError, rateAnswer, unrateAnswer } from "./api.js";
import { iconButton } from "./elements.js";

const THANKS = "Thank you: your rating is kept with the answer.";

/** The two buttons of an answer; `data.feedback` is kept in step with them. */
export function ratingButtons(data) {
  const buttons = [
    [1, "up", "Good answer"],
    [-1, "down", "Bad answer"],
  ].map(([rating, name, label]) => {
    const button = iconButton(name, label, {
      "data-testid": `rate-${name}`,
      onclick: () => rate(rating, button),
    });
    return button;
  });
  const draw = () => {
    buttons.forEach((button, index) =>
      button.setAttribute("aria-pressed", String(data.feedback?.rating === [1, -1][index])),
    );
  };
  async function rate(rating, button) {
    try {
      if (data.feedback?.rating === rating) {
        await unrateAnswer(data.id);
        data.feedback = null;
      } else {
        data.feedback = await rateAnswer(data.id, rating, "");
        announce(THANKS);
        if (rating < 0) askWhy(data, button);
      }
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      announce(error.detail.message);
    }
    draw();
  }
  draw();
  return buttons;
}

/** Ask what was wrong; saying nothing is fine. */
function askWhy(data, button) {
  const dialog = document.getElementById("comment-dialog");
  const field = document.getElementById("comment");
  field.value = "";
  dialog.returnValue = "";
  dialog.addEventListener(
    "close",
    async () => {
      button.focus();
      const comment = field.value.trim();
      if (dialog.returnValue !== "send" || !comment) return;
      try {
        data.feedback = await rateAnswer(data.id, -1, comment);
        announce(THANKS);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        announce(error.detail.message);
      }
    },
    { once: true },
  );
  dialog.showModal();
}
