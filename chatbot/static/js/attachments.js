// Files that the next question carries: chosen, dropped on the page, or pasted.

import { announce } from "./announcer.js";
import { ApiError, uploadDocument } from "./api.js";
import { element, fileSize, icon, iconButton } from "./elements.js";

export class Attachments {
  /** `onChange()` is called when a file comes, goes, or has been uploaded. */
  constructor(onChange) {
    this.onChange = onChange;
    this.list = document.getElementById("attachments");
    this.input = document.getElementById("attach-input");
    this.files = [];
    document.getElementById("attach").addEventListener("click", () => this.input.click());
    this.input.addEventListener("change", () => {
      this.add(this.input.files);
      this.input.value = "";
    });
    this.listenForDrops(document.querySelector(".main"));
    document.getElementById("composer").addEventListener("paste", (event) => {
      if (event.clipboardData.files.length) {
        event.preventDefault();
        this.add(event.clipboardData.files);
      }
    });
  }

  listenForDrops(place) {
    const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
    place.addEventListener("dragover", (event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      place.classList.add("dropping");
    });
    place.addEventListener("dragleave", (event) => {
      if (!place.contains(event.relatedTarget)) place.classList.remove("dropping");
    });
    place.addEventListener("drop", (event) => {
      place.classList.remove("dropping");
      if (!carriesFiles(event)) return;
      event.preventDefault();
      this.add(event.dataTransfer.files);
    });
  }

  /** Whether the question must wait: a file is on its way, or was refused. */
  get pending() {
    return this.files.some((file) => file.state !== "there");
  }

  add(files) {
    for (const file of files) this.upload({ name: file.name, size: file.size, state: "coming" }, file);
  }

  async upload(entry, file) {
    entry.abort = new AbortController();
    this.files.push(entry);
    this.draw();
    try {
      const made = await uploadDocument(file, entry.abort.signal);
      Object.assign(entry, made, { state: "there", note: made.error ?? "" });
      announce(`${made.name} is attached.`);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (!(error instanceof ApiError)) throw error;
      Object.assign(entry, { state: "refused", note: error.detail.message });
      announce(error.detail.message);
    }
    this.draw();
  }

  remove(entry) {
    entry.abort.abort();
    this.files = this.files.filter((other) => other !== entry);
    this.draw();
    document.getElementById("composer").focus();
  }

  /** The documents of the question that is being sent; the list is empty afterwards. */
  take() {
    const { files } = this;
    this.files = [];
    this.draw();
    return files;
  }

  /** What was taken comes back. */
  put(files) {
    this.files = [...files, ...this.files];
    this.draw();
  }

  draw() {
    this.list.replaceChildren(...this.files.map((entry) => this.item(entry)));
    this.list.hidden = !this.files.length;
    this.onChange();
  }

  item(entry) {
    const fact = { coming: "uploading …", there: fileSize(entry.size), refused: "refused" }[entry.state];
    return element(
      "li",
      { class: "attachment", "data-testid": "attachment", "data-state": entry.state },
      icon("document", "icon-small"),
      element(
        "span",
        { class: "attachment-words" },
        element("span", { class: "attachment-name" }, entry.name),
        element("span", { class: "attachment-fact" }, entry.note ? `${fact}: ${entry.note}` : fact),
      ),
      iconButton("close", `Remove ${entry.name}`, { onclick: () => this.remove(entry) }),
    );
  }
}
