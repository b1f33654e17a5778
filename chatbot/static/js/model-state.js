// The model's state: the dot beside its name, and the banner while it cannot answer.

import { announce } from "./announcer.js";
import { ApiError, getState } from "./api.js";
import { element } from "./elements.js";

const WHEN_READY = 15_000;
const WHEN_NOT = 2_000;
const SINCE = "model-away-since";

const TITLES = {
  application_unreachable: "The chat application is away",
  model_not_found: "Another model is served",
  model_not_running: "The model server does not run",
  model_hangs: "The model hangs",
  model_engine_died: "The model has crashed",
  model_key_refused: "The model server refuses the key",
};

export class ModelState {
  constructor() {
    this.badge = document.getElementById("model");
    this.name = document.getElementById("model-name");
    this.state = document.getElementById("model-state");
    this.banner = document.getElementById("banner");
    this.title = document.getElementById("banner-title");
    this.text = document.getElementById("banner-text");
    this.elapsed = document.getElementById("banner-elapsed");
    this.since = Number(sessionStorage.getItem(SINCE)) || null;
    this.timer = null;
    this.showName(this.name.textContent);
    setInterval(() => this.tick(), 1000);
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.check();
    });
  }

  /** Ask now, and again later: often while the model is away. */
  async check() {
    clearTimeout(this.timer);
    let error = null;
    try {
      const state = await getState();
      this.showName(state.model);
      error = state.error;
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      error = failure.detail;
    }
    this.show(error);
    clearTimeout(this.timer);
    const again = () => (document.hidden ? null : this.check());
    this.timer = setTimeout(again, error ? WHEN_NOT : WHEN_READY);
  }

  showName(model) {
    if (this.name.title === model) return;
    const cut = model.lastIndexOf("/") + 1;
    this.name.title = model;
    this.name.replaceChildren(
      element("span", { class: "model-owner" }, model.slice(0, cut)),
      model.slice(cut),
    );
  }

  show(error) {
    this.badge.dataset.state = error ? "not-ready" : "ready";
    this.state.textContent = error ? "not ready" : "ready";
    if (!error) {
      if (!this.banner.hidden) announce("The model is ready again.");
      this.banner.hidden = true;
      this.since = null;
      sessionStorage.removeItem(SINCE);
      return;
    }
    this.since ??= Date.now();
    sessionStorage.setItem(SINCE, this.since);
    const title = TITLES[error.code] ?? "The model is starting or restarting";
    const text = `${error.message} ${error.next_step ?? ""}`;
    // Setting the same text again would make screen readers repeat it.
    if (this.title.textContent !== title) this.title.textContent = title;
    if (this.text.textContent !== text) this.text.textContent = text;
    this.banner.hidden = false;
    this.tick();
  }

  tick() {
    if (this.since === null) return;
    const seconds = Math.round((Date.now() - this.since) / 1000);
    const minutes = Math.floor(seconds / 60);
    const time = minutes ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
    this.elapsed.textContent = `waiting for ${time}`;
  }
}
