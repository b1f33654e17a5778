// Talking to the application: JSON calls and the stream of an answer.

/** An error that a user may see: `message`, `next_step` and `code` are the server's. */
export class ApiError extends Error {
  constructor(detail, status) {
    super(detail.message);
    this.detail = detail;
    this.status = status;
  }
}

const UNREACHABLE = {
  code: "application_unreachable",
  message: "The chat application does not answer.",
  next_step: "It may be restarting: wait a few seconds and try again.",
};

// What changes are sent with, where people log in: `csrf_token` of /api/me.
let csrfToken = "";

async function request(method, path, body, signal, again = false) {
  const options = { method, signal, headers: {} };
  if (csrfToken && method !== "GET") options.headers["X-CSRF-Token"] = csrfToken;
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(UNREACHABLE, 0);
  }
  if (response.ok) return response;
  const answer = await response.json().catch(() => null);
  if (answer?.error?.code === "login_needed") {
    location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
  }
  if (answer?.error?.code === "csrf_refused" && !again) {
    await getMe(); // the first change of this page, or the login was renewed in another tab
    return request(method, path, body, signal, true);
  }
  throw new ApiError(answer?.error ?? UNREACHABLE, response.status);
}

const json = async (...call) => (await request(...call)).json();

/** Whose page this is: {id, name, role, auth, may, csrf_token}. */
export async function getMe() {
  const me = await json("GET", "/api/me");
  csrfToken = me.csrf_token ?? "";
  return me;
}

export const getState = () => json("GET", "/api/state");
export const listConversations = async () =>
  (await json("GET", "/api/conversations")).conversations;
export const createConversation = () => json("POST", "/api/conversations", {});
export const renameConversation = (id, title) =>
  json("PATCH", `/api/conversations/${id}`, { title });
export const deleteConversation = (id) => request("DELETE", `/api/conversations/${id}`);
export const getMessages = (id) => json("GET", `/api/conversations/${id}/messages`);
export const stopAnswer = (id) => json("POST", `/api/messages/${id}/stop`);

/**
 * Ask a question, or an earlier one again (`parent_id` without `content`).
 * Calls `handlers[event](data)` for each event: start, delta, end.
 * Throws an ApiError where the request is refused or the stream breaks before its end.
 */
export async function ask(conversationId, body, handlers) {
  const path = `/api/conversations/${conversationId}/messages`;
  const response = await request("POST", path, body);
  let ended = false;
  try {
    for await (const { name, data } of events(response.body)) {
      ended ||= name === "end";
      handlers[name]?.(data);
    }
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
  if (!ended) {
    throw new ApiError(
      {
        code: "connection_lost",
        message: "The connection to the chat application broke while it was answering.",
        next_step: "What had come is kept. Try again when the application is back.",
      },
      0,
    );
  }
}

/** The server-sent events of a body. Comments (heartbeats) are left out. */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    buffer += value;
    const blocks = buffer.split("\n\n");
    buffer = blocks.pop();
    for (const block of blocks) {
      const fields = Object.fromEntries(
        block.split("\n").map((line) => [
          line.slice(0, line.indexOf(":")),
          line.slice(line.indexOf(":") + 2),
        ]),
      );
      if (fields.event) yield { name: fields.event, data: JSON.parse(fields.data) };
    }
  }
}
