// The account page: API keys, password, sessions.

import { showAccount } from "./account-menu.js";
import { announce } from "./announcer.js";
import { json, me, request } from "./api.js";
import { browserName } from "./browser-name.js";
import { confirmDeletion } from "./confirm.js";
import { copyButton } from "./copy-button.js";
import { drawTable, moment } from "./data-table.js";
import { card, element } from "./elements.js";
import { trying } from "./page-problem.js";

const place = (id) => document.getElementById(id);
const button = (words, onclick, kind = "danger-soft") =>
  element("button", { type: "button", class: `button ${kind}`, onclick }, words);

async function showKeys() {
  const { keys } = await json("GET", "/api/keys");
  drawTable(
    place("keys"),
    [
      ["Name", (key) => key.name],
      ["Begins with", (key) => element("code", {}, key.prefix)],
      ["Made", (key) => moment(key.created_at)],
      ["Last used", (key) => moment(key.last_used_at) || "never"],
      ["Lasts until", (key) => moment(key.expires_at) || "for ever"],
      ["", (key) => (key.revoked_at ? "revoked" : button("Revoke", () => revoke(key)))],
    ],
    keys,
    "No key yet. Make one above; it is shown once.",
  );
}

async function revoke(key) {
  const sure = await confirmDeletion({
    title: "Revoke this key?",
    text: `Programs that use “${key.name}” are refused from now on.`,
    action: "Revoke",
  });
  if (!sure) return;
  await trying(async () => {
    await request("DELETE", `/api/keys/${key.id}`);
    await showKeys();
    announce("The key is revoked.");
  });
}

async function makeKey(event) {
  event.preventDefault();
  const form = event.target;
  const days = form.elements.days.value;
  await trying(async () => {
    const body = { name: form.elements.name.value };
    if (days) body.expires_in_days = Number(days);
    const { key } = await json("POST", "/api/keys", { body });
    form.reset();
    const shown = card("", "Copy the key now: it is not shown again.", "", [copyButton(() => key, "Copy", "Copy the key")]);
    shown.querySelector(".card-words").append(element("code", { class: "secret", "data-testid": "new-key" }, key));
    place("new-key").replaceChildren(shown);
    await showKeys();
  });
}

async function showSessions() {
  const { sessions } = await json("GET", "/api/me/sessions");
  const end = (session) =>
    trying(async () => {
      await request("DELETE", `/api/me/sessions/${session.id}`);
      await showSessions();
    });
  drawTable(
    place("sessions"),
    [
      ["Browser", (session) => element("span", { title: session.user_agent }, browserName(session.user_agent))],
      ["Address", (session) => session.address],
      ["Since", (session) => moment(session.created_at)],
      ["Last seen", (session) => moment(session.seen_at)],
      ["", (session) => (session.current ? "this one" : button("End", () => end(session)))],
    ],
    sessions,
    "",
  );
}

async function changePassword(event) {
  event.preventDefault();
  const form = event.target;
  const body = { current: form.elements.current.value, new: form.elements.new.value };
  const done = await trying(() => request("POST", "/api/me/password", { body }));
  if (!done) return;
  form.reset();
  place("problem").replaceChildren(card("", "The password is changed.", "Other sessions of yours have ended."));
}

place("key-form").addEventListener("submit", makeKey);
place("password-form").addEventListener("submit", changePassword);
place("log-out-everywhere").addEventListener("click", () =>
  trying(async () => {
    location.assign((await json("POST", "/api/logout", { body: { everywhere: true } })).next);
  }),
);

showAccount();
trying(async () => {
  const { may } = await me();
  await Promise.all([may.includes("keys") && showKeys(), may.includes("logout") && showSessions()]);
});
