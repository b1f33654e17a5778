// The way to the reader's account and, for who may see it, to the admin page.

import { ApiError, me, request } from "./api.js";

/** Show the links that are for this reader, and log out when asked to. */
export async function showAccount() {
  const links = [...document.querySelectorAll("[data-may]")];
  let account;
  try {
    account = await me();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return;
  }
  for (const link of links) {
    link.hidden = !link.dataset.may.split(" ").some((right) => account.may.includes(right));
  }
  const name = document.getElementById("account-name");
  if (name && account.auth !== "none") name.textContent = account.name;
  document.getElementById("log-out")?.addEventListener("click", async () => {
    const response = await request("POST", "/api/logout", { body: {} });
    location.assign((await response.json()).next);
  });
}
