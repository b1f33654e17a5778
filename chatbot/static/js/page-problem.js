// What went wrong on a page, in one place of it.

import { ApiError } from "./api.js";
import { errorCard } from "./elements.js";

/** Do something, and show a problem where it has one. Returns whether it went well. */
export async function trying(work) {
  const problem = document.getElementById("problem");
  problem.replaceChildren();
  try {
    await work();
    return true;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    problem.replaceChildren(errorCard(error));
    problem.scrollIntoView({ block: "nearest" });
    return false;
  }
}
