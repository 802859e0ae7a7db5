// Requests to the server; what goes wrong is thrown as a `Problem`.

const SERVER = new URL(".", document.baseURI);

/** Why there is no answer: the content of problem+json, or a failed connection. */
export class Problem extends Error {
  /** Members of problem+json as the server names them; `retryAfterS` in seconds if the server gave it. */
  constructor({ reason, detail = "", details = {}, request_id: requestId = "", retryAfterS }) {
    super(detail || reason);
    Object.assign(this, { reason, detail, details, requestId, retryAfterS });
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
      if (request.status === 200 && body?.shows?.length > 0) resolve(body);
      else reject(refusal(request, body));
    };
    request.onerror = () => reject(new Problem({ reason: navigator.onLine ? "NO_ANSWER" : "OFFLINE" }));
    request.onabort = () => reject(new Problem({ reason: "CANCELLED" }));
    signal.addEventListener("abort", () => request.abort());
    if (question.file) {
      const form = new FormData();
      form.append("file", question.file, question.file.name || "pasted.gif");
      request.send(form);
    } else {
      request.setRequestHeader("Content-Type", "application/json");
      request.send(JSON.stringify({ url: question.address }));
    }
  });
}

/** The titles that the server's model knows. */
export async function knownShows(key) {
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  let response;
  try {
    response = await fetch(new URL("v1/shows", SERVER), { headers });
  } catch {
    throw new Problem({ reason: navigator.onLine ? "NO_ANSWER" : "OFFLINE" });
  }
  const body = parsed(await response.text());
  if (!response.ok || !body) throw new Problem({ ...body, reason: body?.reason ?? "NO_ANSWER" });
  return body.shows;
}

function refusal(request, body) {
  const wait = Number.parseFloat(request.getResponseHeader("Retry-After") ?? "");
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
