// Requests to the server; what goes wrong is thrown as a `Problem`.

const SERVER = new URL(".", document.baseURI);

/** Why there is no answer: the content of problem+json, or a failed connection. */
export class Problem extends Error {
  /** Members of problem+json as the server names them; `retryAfterS` in seconds if the server gave it. */
  constructor({ reason, message = "", details = {}, request_id: requestId = "", retryAfterS }) {
    super(message || reason);
    Object.assign(this, { reason, details, requestId, retryAfterS });
  }
}

/**
 * Request the show of one GIF.
 * @param {{file?: File, address?: string}} question
 * @param {{key?: string, signal: AbortSignal, onSent: (fraction: number) => void}} options
 *   onSent: called with the share of the file that has been sent, 0..1.
 */
export function identify(question, { key, signal, onSent }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch() cannot tell how much has been sent
    request.open("POST", new URL("v1/identify?top_k=5&pictures=true", SERVER));
    request.responseType = "text";
    request.setRequestHeader("Accept", "application/json");
    if (key) request.setRequestHeader("Authorization", `Bearer ${key}`);
    request.upload.onprogress = (event) => event.lengthComputable && onSent(event.loaded / event.total);
    request.onload = () => {
      const body = parsed(request.responseText);
      const id = request.getResponseHeader("X-Request-Id"); // feedback names the answer by it
      if (request.status === 200 && body?.shows?.length > 0) resolve({ ...body, id });
      else reject(refusal(body, request.getResponseHeader("Retry-After")));
    };
    request.onerror = () => reject(new Problem({ reason: navigator.onLine ? "NO_ANSWER" : "OFFLINE" }));
    request.onabort = () => reject(new Problem({ reason: "CANCELLED" }));
    signal.addEventListener("abort", () => request.abort());
    const { body, type } = bodyOf(question);
    if (type) request.setRequestHeader("Content-Type", type);
    request.send(body);
  });
}

/** The model of the server, and its library: {shows, library: {clip_count, shows} or null, …}. */
export function describe(key) {
  return call("GET", "v1/model", { key });
}

/** What may be done with the library: {shows: [{show, clip_count}], writable, thumbnails, keeps_thumbnails, …}. */
export function describeLibrary(key) {
  return call("GET", "v1/library", { key });
}

/** Put a GIF into the library: {name, show, clip_count}. */
export function teach(question, show, key) {
  return call("POST", `v1/library?${new URLSearchParams({ show })}`, { key, ...bodyOf(question) });
}

/** Remove a GIF from the library, by its name there. */
export function forget(name, key) {
  return call("DELETE", `v1/library?${new URLSearchParams({ name })}`, { key });
}

/** What feedback the server takes: {open, keeps_gifs}. */
export function describeFeedback(key) {
  return call("GET", "v1/feedback", { key });
}

/**
 * Say whether an answer was right.
 * @param {{answer: string, right: boolean, show?: string}} said
 * @param {{file?: File, address?: string} | null} question - the GIF, if it may be kept for training
 */
export function giveFeedback(said, question, key) {
  const query = new URLSearchParams({ ...said, ...(question && { consent: true }) });
  return call("POST", `v1/feedback?${query}`, { key, ...(question && bodyOf(question)) });
}

/** The small picture of a GIF of the library; null if there is none. */
export async function thumbnail(name, key) {
  try {
    return await (await send("GET", `v1/library/thumbnail?${new URLSearchParams({ name })}`, { key })).blob();
  } catch (problem) {
    if (problem instanceof Problem) return null; // the words beside it say all
    throw problem;
  }
}

async function call(method, path, options) {
  const body = parsed(await (await send(method, path, options)).text());
  if (!body) throw new Problem({ reason: "NO_ANSWER" });
  return body;
}

async function send(method, path, { key, body, type }) {
  const headers = { ...(key && { Authorization: `Bearer ${key}` }), ...(type && { "Content-Type": type }) };
  let response;
  try {
    response = await fetch(new URL(path, SERVER), { method, headers, body });
  } catch {
    throw new Problem({ reason: navigator.onLine ? "NO_ANSWER" : "OFFLINE" });
  }
  if (!response.ok) throw refusal(parsed(await response.text()), response.headers.get("Retry-After"));
  return response;
}

function bodyOf({ file, address }) {
  if (!file) return { body: JSON.stringify({ url: address }), type: "application/json" };
  const body = new FormData();
  body.append("file", file, file.name || "pasted.gif");
  return { body };
}

function refusal(body, retryAfter) {
  const wait = Number.parseFloat(retryAfter ?? "");
  return new Problem({
    ...body,
    reason: body?.reason ?? "NO_ANSWER",
    retryAfterS: Number.isFinite(wait) ? wait : undefined,
  });
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
