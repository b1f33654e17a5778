// Asking before something is deleted.

/** Ask; resolves to whether the reader wants it. */
export function confirmDeletion({ title, text, action }) {
  const dialog = document.getElementById("delete-dialog");
  document.getElementById("delete-title").textContent = title;
  document.getElementById("delete-text").textContent = text;
  document.getElementById("delete-action").textContent = action;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((done) => {
    dialog.addEventListener("close", () => done(dialog.returnValue === "delete"), { once: true });
  });
}
