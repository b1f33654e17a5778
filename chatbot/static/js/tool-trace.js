// The tools that an answer called: name, arguments, result, time.

import { duration, element, icon } from "./elements.js";

const STATUS = {
  running: "running",
  complete: "done",
  error: "failed",
  stopped: "stopped",
};

export class ToolTrace {
  constructor() {
    this.element = element("div", { class: "tools" });
    this.calls = new Map();
  }

  draw(calls) {
    for (const call of calls) {
      const state = JSON.stringify([call.status, call.result, call.arguments]);
      const known = this.calls.get(call.id);
      if (known?.state === state) continue;
      const pane = drawCall(call);
      if (known) {
        pane.open = known.pane.open;
        known.pane.replaceWith(pane);
      } else {
        this.element.append(pane);
      }
      this.calls.set(call.id, { pane, state });
    }
  }
}

function drawCall(call) {
  const said = STATUS[call.status] ?? call.status;
  const took = call.duration_ms === null || call.duration_ms === undefined ? "" : ` · ${duration(call.duration_ms)}`;
  return element(
    "details",
    { class: "pane", "data-testid": "tool-call", "data-status": call.status },
    element(
      "summary",
      {},
      icon("tool", "icon-small"),
      element("span", {}, "Used ", element("strong", {}, call.name)),
      element("span", { class: "pane-fact" }, `${said}${took}`),
      icon("next", "icon-small turn"),
    ),
    element(
      "div",
      { class: "pane-text" },
      element("p", { class: "label" }, "Asked"),
      element("pre", { tabindex: "0", "aria-label": "Arguments", role: "group" }, JSON.stringify(call.arguments, null, 2)),
      element("p", { class: "label" }, "Answered"),
      element("pre", { tabindex: "0", "aria-label": "Result", role: "group" }, call.result || (call.status === "running" ? "Not yet." : "Nothing.")),
    ),
  );
}
