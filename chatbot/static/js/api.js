// Talking to the application: its JSON calls. The streams of answers are in answer-stream.js.

/** An error that a user may see: `detail` has the server's `message`, `next_step` and `code`. */
export class ApiError extends Error {
  constructor(detail, status = 0) {
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

const SAFE = new Set(["GET", "HEAD"]);
let asked = null;

/** Who the reader is, and what they may do; asked once. */
export function me() {
  asked ??= json("GET", "/api/me").catch((error) => {
    asked = null;
    throw error;
  });
  return asked;
}

/** Returns the response; throws an ApiError where it is none, or an error. */
export async function request(method, path, { body, headers = {}, signal, again = false } = {}) {
  const options = { method, signal, headers: { ...headers } };
  if (csrfToken && method !== "GET") options.headers["X-CSRF-Token"] = csrfToken;
  if (body instanceof FormData) {
    options.body = body;
  } else if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let response;
  try {
    if (!SAFE.has(method)) {
      const { csrf_token: token } = await me();
      if (token) options.headers["X-CSRF-Token"] = token;
    }
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError" || error instanceof ApiError) throw error;
    throw new ApiError(UNREACHABLE);
  }
  if (response.ok) return response;
  const answer = await response.json().catch(() => null);
  if (answer?.error?.code === "login_needed") {
    location.assign(`/login?${new URLSearchParams({ next: location.pathname })}`);
  }
  if (answer?.error?.code === "csrf_refused" && !again) {
    await getMe(); // the first change of this page, or the login was renewed in another tab
    return request(method, path, { body, headers, signal, again: true });
  }
  throw new ApiError(answer?.error ?? UNREACHABLE, response.status);
}

export async function json(method, path, options) {
  return (await request(method, path, options)).json();
}

/** Whose page this is: {id, name, role, auth, may, csrf_token}. */
export async function getMe() {
  const me = await json("GET", "/api/me");
  csrfToken = me.csrf_token ?? "";
  return me;
}

export const getState = () => json("GET", "/api/state");

export const listConversations = (before, limit) => {
  const query = new URLSearchParams({ limit, ...(before ? { before } : {}) });
  return json("GET", `/api/conversations?${query}`);
};
export const createConversation = () => json("POST", "/api/conversations", { body: {} });
export const changeConversation = (id, change) =>
  json("PATCH", `/api/conversations/${id}`, { body: change });
/** Have the model write the title of a conversation whose title is the question's words. */
export const titleConversation = (id) => json("POST", `/api/conversations/${id}/title`, { body: {} });
export const deleteConversation = (id) => request("DELETE", `/api/conversations/${id}`);
export const deleteConversations = () =>
  json("DELETE", "/api/conversations", { body: { confirm: "delete all conversations" } });
/** All branches of a conversation, the oldest message first. */
export const getMessages = (id) => json("GET", `/api/conversations/${id}/messages?tree=true`);
export const search = (words, signal) =>
  json("GET", `/api/search?${new URLSearchParams({ q: words, limit: 50 })}`, { signal });

export const listAgents = () => json("GET", "/api/agents");
export const listDocuments = async () => (await json("GET", "/api/documents")).documents;
export const deleteDocument = (id) => request("DELETE", `/api/documents/${id}`);
export const uploadDocument = (file, signal) => {
  const body = new FormData();
  body.append("file", file);
  return json("POST", "/api/documents", { body, signal });
};

export const importConversations = (file) => {
  const body = new FormData();
  body.append("file", file);
  return json("POST", "/api/import", { body });
};

export const stopAnswer = (id) => json("POST", `/api/messages/${id}/stop`, { body: {} });
export const rateAnswer = (id, rating, comment) =>
  json("PUT", `/api/messages/${id}/feedback`, { body: { rating, comment } });
export const unrateAnswer = (id) => request("DELETE", `/api/messages/${id}/feedback`);
