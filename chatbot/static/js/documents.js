// The reader's documents, and those that the deployment has for everyone.

import { announce } from "./announcer.js";
import { ApiError, deleteDocument, listDocuments, uploadDocument } from "./api.js";
import { confirmDeletion } from "./confirm.js";
import { element, errorCard, fileSize, icon, iconButton } from "./elements.js";

export class Documents {
  constructor() {
    this.dialog = document.getElementById("documents-dialog");
    this.list = document.getElementById("documents");
    this.empty = document.getElementById("documents-empty");
    this.problem = document.getElementById("documents-problem");
    this.input = document.getElementById("documents-input");
    document.querySelectorAll("[data-open=documents]").forEach((button) => {
      button.addEventListener("click", () => this.open());
    });
    document.getElementById("upload-document").addEventListener("click", () => this.input.click());
    this.input.addEventListener("change", () => this.upload([...this.input.files]));
  }

  async open() {
    this.dialog.showModal();
    await this.load();
  }

  async load() {
    await this.trying(async () => {
      const documents = await listDocuments();
      this.list.replaceChildren(...documents.map((one) => this.item(one)));
      this.empty.hidden = documents.length > 0;
    });
  }

  async upload(files) {
    this.input.value = "";
    await this.trying(async () => {
      for (const file of files) {
        const made = await uploadDocument(file);
        announce(`${made.name} is uploaded.`);
      }
    });
    await this.reload();
  }

  async remove(one) {
    const sure = await confirmDeletion({
      title: "Delete this document?",
      text: `“${one.name}” will be gone from this server. Answers that were made with it stay.`,
      action: "Delete",
    });
    if (!sure) return;
    await this.trying(() => deleteDocument(one.id));
    await this.reload();
    this.dialog.querySelector("h2").focus();
  }

  /** Show the list anew, and leave a problem standing. */
  async reload() {
    const problem = [...this.problem.childNodes];
    await this.load();
    this.problem.replaceChildren(...problem);
  }

  async trying(work) {
    this.problem.replaceChildren();
    try {
      await work();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.problem.replaceChildren(errorCard(error));
    }
  }

  item(one) {
    const facts = [one.mounted ? "for everyone" : "yours", fileSize(one.size)];
    if (one.error) facts.push(one.error);
    return element(
      "li",
      { class: "document", "data-testid": "document" },
      icon("document", "icon-small"),
      element(
        "div",
        { class: "document-words" },
        element("a", { href: `/api/documents/${one.id}/content`, download: one.name }, one.name),
        element("p", { class: "help" }, facts.join(" · ")),
      ),
      one.mounted
        ? null
        : iconButton("trash", `Delete: ${one.name}`, { "data-testid": "delete-document", onclick: () => this.remove(one) }),
    );
  }
}
