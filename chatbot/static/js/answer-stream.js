// The events of one answer, whichever way they come: asked for, gone on with, or followed after a
// reload. A connection that breaks is taken up again where it ended, so nothing comes twice.

import { ApiError, request } from "./api.js";

// Milliseconds before each new try to take up a broken stream.
const AGAIN_AFTER = [200, 500, 1000, 2000, 4000];

const LOST = {
  code: "connection_lost",
  message: "The connection to the chat application broke while it was answering.",
  next_step: "What had come is kept. Try again when the application is back.",
};

export const askQuestion = (conversationId, body) => () =>
  request("POST", `/api/conversations/${conversationId}/messages`, { body });
export const continueAnswer = (messageId) => () =>
  request("POST", `/api/messages/${messageId}/continue`, { body: {} });
export const followAnswer = (messageId, after) => () =>
  request("GET", `/api/messages/${messageId}/events`, {
    headers: after ? { "Last-Event-ID": after } : {},
  });

/**
 * Yields `{name, data}` until the answer is over: after `end`, or after the `saved` that follows
 * an `end` which was not saved. Throws an ApiError where it is refused, or stays broken.
 */
export async function* answerEvents(open) {
  let messageId = null;
  let last = null;
  let over = false;
  let tries = 0;
  for (;;) {
    try {
      const response = await open();
      for await (const event of readEvents(response.body)) {
        tries = 0;
        last = event.id ?? last;
        if (event.name === "start") messageId = event.data.answer.id;
        if (event.name === "snapshot") messageId = event.data.message.id;
        over = event.name === "saved" || (event.name === "end" && event.data.saved !== false);
        yield event;
        if (over) return;
      }
    } catch (error) {
      // A refusal of the first request is an answer; later ones may come from a worker that starts.
      const broken = error instanceof TypeError || (messageId && error.status !== 404);
      if (!broken) throw error;
    }
    if (!messageId || tries >= AGAIN_AFTER.length) throw new ApiError(LOST);
    await new Promise((go) => setTimeout(go, AGAIN_AFTER[tries]));
    tries += 1;
    open = followAnswer(messageId, last);
  }
}

/** The server-sent events of a body. Comments (heartbeats) are left out. */
export async function* readEvents(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      buffer += value;
      const blocks = buffer.split("\n\n");
      buffer = blocks.pop();
      for (const block of blocks) {
        const fields = {};
        for (const line of block.split("\n")) {
          const colon = line.indexOf(":");
          if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 1).trimStart();
        }
        if (fields.event) {
          yield { id: fields.id, name: fields.event, data: JSON.parse(fields.data) };
        }
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
