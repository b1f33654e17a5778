// The admin page: the model's state, usage, failures, accounts, the audit log.

import { showAccount } from "./account-menu.js";
import { announce } from "./announcer.js";
import { json, me, request } from "./api.js";
import { barChart, lastDays } from "./charts.js";
import { confirmDeletion } from "./confirm.js";
import { drawTable, moment } from "./data-table.js";
import { element } from "./elements.js";
import { trying } from "./page-problem.js";

const place = (id) => document.getElementById(id);
const events = [];
let earlier = null;

async function showState() {
  const state = await json("GET", "/api/admin/state");
  const { model } = state;
  const facts = [
    ["Model", model.model],
    ["State", model.ready ? "answers" : (model.error?.message ?? "does not answer")],
    ["Context", model.max_model_len ? `${model.max_model_len.toLocaleString()} tokens` : "unknown"],
    ["Answers now", `${state.answers} of ${state.max_answers}`],
    ["Workers", state.workers],
    ["Accounts", state.accounts],
    ["Login", { none: "none: everybody", local: "by password", oidc: "at the provider" }[state.auth]],
    ["Database", { sqlite: "SQLite", postgresql: "Postgres" }[state.database]],
  ];
  place("state").replaceChildren(
    ...facts.map(([name, value]) =>
      element("div", {}, element("dt", {}, name), element("dd", {}, String(value))),
    ),
  );
}

async function showUsage() {
  const count = Number(place("days").value);
  const { days: rows, failed } = await json("GET", `/api/admin/usage?days=${count}`);
  const days = lastDays(count);
  const daily = (figure) =>
    days.map((day) =>
      rows.filter((row) => row.day === day).reduce((sum, row) => sum + figure(row), 0),
    );
  place("charts").replaceChildren(
    barChart("Answers", days, daily((row) => row.answers)),
    barChart("Tokens written", days, daily((row) => row.completion_tokens)),
    barChart("Failed or cut off", days, daily((row) => row.errors + row.interrupted), "bad"),
  );
  const number = (figure) => (row) => row[figure].toLocaleString();
  drawTable(
    place("usage"),
    [
      ["Account", (row) => row.name],
      ["Answers", number("answers"), true],
      ["Failed", number("errors"), true],
      ["Cut off", number("interrupted"), true],
      ["Tokens read", number("prompt_tokens"), true],
      ["Tokens written", number("completion_tokens"), true],
    ],
    byAccount(rows),
    "Nobody has asked anything in this time.",
  );
  drawTable(
    place("failed"),
    [
      ["When", (row) => moment(row.at)],
      ["Account", (row) => row.name],
      ["What happened", (row) => row.message],
      ["Code", (row) => element("code", {}, row.code)],
    ],
    failed,
    "None in this time.",
  );
}

function byAccount(rows) {
  const found = new Map();
  for (const row of rows) {
    const sum = found.get(row.user_id);
    if (!sum) {
      found.set(row.user_id, { ...row });
      continue;
    }
    for (const figure of ["answers", "errors", "interrupted", "prompt_tokens", "completion_tokens"]) {
      sum[figure] += row[figure];
    }
  }
  return [...found.values()].sort((a, b) => b.completion_tokens - a.completion_tokens);
}

async function showUsers() {
  const { users } = await json("GET", "/api/users");
  drawTable(
    place("users"),
    [
      ["Name", (user) => user.name],
      ["Role", (user) => user.role],
      ["State", (user) => (user.disabled ? "disabled" : "active")],
      ["Last login", (user) => moment(user.last_login_at) || "never"],
      ["", (user) => userButtons(user)],
    ],
    users,
    "",
  );
}

function userButtons(user) {
  const change = (words, body) =>
    element(
      "button",
      {
        type: "button", class: "button", "aria-label": `${words}: ${user.name}`,
        onclick: () => changing(() => json("PATCH", `/api/users/${user.id}`, { body })),
      },
      words,
    );
  const remove = element(
    "button",
    { type: "button", class: "button danger-soft", "aria-label": `Delete: ${user.name}`, onclick: () => removeUser(user) },
    "Delete",
  );
  const role = user.role === "admin" ? "user" : "admin";
  return element(
    "div",
    { class: "row-buttons" },
    change(user.disabled ? "Enable" : "Disable", { disabled: !user.disabled }),
    change(`Make ${role}`, { role }),
    remove,
  );
}

async function removeUser(user) {
  const sure = await confirmDeletion({
    title: "Delete this account?",
    text: `“${user.name}” with all conversations, documents and keys will be gone. This cannot be undone.`,
    action: "Delete the account",
  });
  if (sure) await changing(() => request("DELETE", `/api/users/${user.id}`));
}

const changing = (work) =>
  trying(async () => {
    await work();
    await showUsers();
    announce("Done.");
  });

async function makeUser(event) {
  event.preventDefault();
  const form = event.target;
  const body = Object.fromEntries(new FormData(form));
  const done = await changing(() => json("POST", "/api/users", { body }));
  if (done) form.reset();
}

async function showAudit() {
  const query = new URLSearchParams({ limit: 50, ...(earlier ? { before: earlier } : {}) });
  const part = await json("GET", `/api/audit?${query}`);
  events.push(...part.events);
  earlier = part.next;
  place("more-audit").hidden = earlier === null;
  drawTable(
    place("audit"),
    [
      ["When", (one) => moment(one.at)],
      ["Who", (one) => one.user_name],
      ["What", (one) => one.action.replaceAll("_", " ")],
      ["Whom or which", (one) => one.target],
      ["From", (one) => one.address],
    ],
    events,
    "Nothing has happened yet.",
  );
}

place("days").addEventListener("change", () => trying(showUsage));
place("user-form").addEventListener("submit", makeUser);
place("more-audit").addEventListener("click", () => trying(showAudit));

showAccount();
trying(async () => {
  const { may } = await me();
  await Promise.all([showState(), showUsage(), showAudit(), may.includes("accounts") && showUsers()]);
});
