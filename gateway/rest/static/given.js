// Turns what a visitor dropped, pasted or typed into requests, each {file} or {address}.
//
// A picture that is dragged or copied from another page comes as several things at once: a still image, a piece of HTML
// with the address of its file, the address that it links to. Only the GIF itself can be identified, so it goes first.

/** The requests of a DataTransfer: [] when it has neither a file nor an address. */
export function givenIn(transfer) {
  const files = [...transfer.files];
  const asked = files.map((file) => ({ file }));
  if (files.some(looksLikeGif)) return asked;
  const address =
    imageAddress(transfer.getData("text/html")) ??
    addressIn(transfer.getData("text/uri-list")) ??
    addressIn(transfer.getData("text/plain"));
  return address ? [{ address }] : asked; // the server says what files of another kind are
}

/** The address that a visitor typed, completed; null when it is empty. */
export function written(text) {
  const trimmed = text.trim();
  if (trimmed === "") return null;
  return { address: /^[a-z][a-z0-9+.-]*:\/\//i.test(trimmed) ? trimmed : `https://${trimmed}` };
}

/** How many GIFs a drag may carry; browsers hide its content until it is dropped. */
export function heldIn(transfer) {
  if (!["Files", "text/uri-list", "text/html"].some((type) => transfer.types.includes(type))) return 0;
  return [...transfer.items].filter((item) => item.kind === "file").length || 1;
}

/** The name of a request for the visitor. */
export function nameOf(question) {
  if (question.file) return question.file.name || "your GIF";
  try {
    return new URL(question.address).hostname;
  } catch {
    return question.address;
  }
}

function looksLikeGif(file) {
  // Browsers copy a GIF as a still PNG or JPEG, so its address is more useful.
  return /^image\/(gif|webp|apng)$|^video\//.test(file.type) || /\.(gif|webp|apng|mp4|webm)$/i.test(file.name);
}

function imageAddress(html) {
  if (!html) return null;
  const image = new DOMParser().parseFromString(html, "text/html").querySelector("img[src]"); // inert: loads nothing
  return image ? addressIn(image.getAttribute("src")) : null;
}

function addressIn(text) {
  const line = (text ?? "").split(/\r?\n/).find((one) => one !== "" && !one.startsWith("#")) ?? "";
  return /^https?:\/\/\S+$/i.test(line.trim()) ? line.trim() : null;
}
