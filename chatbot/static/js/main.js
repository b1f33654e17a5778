// The page: puts its parts together and keeps the address in step with what is shown.

import { Composer } from "./composer.js";
import { Conversation } from "./conversation.js";
import { ModelState } from "./model-state.js";
import { Sidebar } from "./sidebar.js";

const NEW = "New conversation";

const modelState = new ModelState();
const composer = new Composer({
  onSend: (text) => conversation.send(text),
  onStop: () => conversation.stop(),
});
const sidebar = new Sidebar({
  onOpen: (id) => go(id),
  onRenamed: (renamed) => renamed.id === conversation.id && showTitle(renamed.title),
  onDeleted: (id) => id === conversation.id && go(null),
});
const conversation = new Conversation({
  composer,
  sidebar,
  onOpened: (id) => {
    if (id !== idInAddress()) history.pushState(null, "", id ? `/c/${id}` : "/");
    sidebar.select(id);
    showTitle(sidebar.title(id));
  },
  onFailed: () => modelState.check(),
});

function idInAddress() {
  return /^\/c\/([0-9a-f-]{36})$/.exec(location.pathname)?.[1] ?? null;
}

function showTitle(title) {
  document.getElementById("title").textContent = title || NEW;
  document.title = title ? `${title} · Archi` : "Archi";
}

async function go(id) {
  await conversation.open(id);
  composer.focus();
}

document.getElementById("new-conversation").addEventListener("click", () => {
  sidebar.close();
  go(null);
});
document.querySelector(".brand").addEventListener("click", (event) => {
  if (event.metaKey || event.ctrlKey) return;
  event.preventDefault();
  sidebar.close();
  go(null);
});
document.getElementById("suggestions").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  composer.fill(button.dataset.prompt);
  composer.focus();
});
addEventListener("popstate", () => go(idInAddress()));

modelState.check();
sidebar.load().then(() => showTitle(sidebar.title(conversation.id)));
go(idInAddress());
