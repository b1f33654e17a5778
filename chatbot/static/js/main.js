// The page: puts its parts together and keeps the address in step with what is shown.

import { showAccount } from "./account-menu.js";
import { Composer } from "./composer.js";
import { Conversation } from "./conversation.js";
import { Documents } from "./documents.js";
import { Drawer } from "./drawer.js";
import { ModelState } from "./model-state.js";
import { Search } from "./search.js";
import { Settings } from "./settings.js";
import { listenForShortcuts } from "./shortcuts.js";
import { Sidebar } from "./sidebar.js";
import { Tabs } from "./tabs.js";
import { Transfer } from "./transfer.js";

const NEW = "New conversation";

const modelState = new ModelState();
const drawer = new Drawer();
const composer = new Composer({
  onSend: (sent) => conversation.send(sent),
  onStop: () => conversation.stop(),
});
const sidebar = new Sidebar({
  onOpen: (id) => go(id),
  onRenamed: (renamed) => {
    if (renamed.id === conversation.id) showTitle(renamed.title);
    tabs.tell(null);
  },
  onDeleted: (id) => {
    tabs.tell(id);
    if (id === conversation.id) go(null);
  },
});
const tabs = new Tabs((id) => {
  loadList();
  if (id) conversation.changedElsewhere(id);
});
const conversation = new Conversation({
  composer,
  sidebar,
  tabs,
  onOpened: (opened) => {
    const id = opened?.id ?? null;
    if (id !== idInAddress()) history.pushState(null, "", id ? `/c/${id}` : "/");
    sidebar.select(id);
    showTitle(opened?.title);
  },
  onFailed: () => modelState.check(),
});
const search = new Search({ onOpen: (id, messageId) => go(id, messageId) });
const transfer = new Transfer({
  conversation,
  onImported: () => {
    tabs.tell(null);
    sidebar.load();
  },
});
const settings = new Settings({
  conversation,
  transfer,
  onAllDeleted: () => {
    tabs.tell(null);
    sidebar.load();
    go(null);
  },
});
new Documents();
const help = document.getElementById("help-dialog");

function idInAddress() {
  return /^\/c\/([0-9a-f-]{36})$/.exec(location.pathname)?.[1] ?? null;
}

function showTitle(title) {
  document.getElementById("title").textContent = title || NEW;
  document.title = title ? `${title} · Archi` : "Archi";
}

/** The list, and the title of what is open, which another tab may have changed. */
async function loadList() {
  await sidebar.load();
  const open = sidebar.get(conversation.id);
  if (open) showTitle(open.title);
}

async function go(id, messageId = null) {
  drawer.close();
  if (!messageId) composer.focus();
  await conversation.open(id, messageId);
}

function startNew() {
  search.clear();
  go(null);
}

document.getElementById("new-conversation").addEventListener("click", startNew);
document.querySelector(".brand").addEventListener("click", (event) => {
  if (event.metaKey || event.ctrlKey) return;
  event.preventDefault();
  startNew();
});
document.getElementById("suggestions").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  composer.fill(button.dataset.prompt);
  composer.focus();
});
document.querySelectorAll("[data-open=help]").forEach((button) => {
  button.addEventListener("click", () => help.showModal());
});
document.querySelectorAll("dialog [data-close]").forEach((button) => {
  button.addEventListener("click", () => button.closest("dialog").close());
});
listenForShortcuts({
  search: () => {
    drawer.show(true);
    search.focus();
  },
  fresh: startNew,
  settings: () => settings.open(),
  help: () => help.showModal(),
  compose: () => composer.focus(),
  editLast: () => [...document.querySelectorAll("[data-testid=edit-question]")].at(-1)?.click(),
  stop: () => composer.halt(),
});
addEventListener("popstate", () => {
  // What is open is about the conversation that is left.
  document.querySelectorAll("dialog[open]").forEach((dialog) => dialog.close());
  go(idInAddress());
});

showAccount();
modelState.check();
loadList();
go(idInAddress());
