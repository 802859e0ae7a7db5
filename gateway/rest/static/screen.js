// Plays a file, or the frames of an answer, and can pause it.

const preview = document.getElementById("preview");
const still = document.getElementById("still");
const pause = document.getElementById("pause");
const waiting = document.getElementById("waiting");
const calm = matchMedia("(prefers-reduced-motion: reduce)");

let objectUrl = null;
let reel = null; // {sources, lastsMs, shown, timer}: frames that are played instead of a file
let paused = false;

/** Show a file of the visitor; `onUnreadable` is called if the browser cannot show it. */
export function showFile(file, name, onUnreadable) {
  clear();
  objectUrl = URL.createObjectURL(file);
  preview.onload = () => {
    show(name);
    if (calm.matches) setPaused(true);
  };
  preview.onerror = () => {
    onUnreadable();
  };
  preview.src = objectUrl;
}

/** Play the frames that the model saw, at their own times. */
export function showReel(pictures, timestampsMs, name) {
  clear();
  const sources = pictures.map((picture) => `data:image/jpeg;base64,${picture}`);
  const mean = (timestampsMs.at(-1) - timestampsMs[0]) / Math.max(timestampsMs.length - 1, 1);
  const lastsMs = timestampsMs.map((start, index) => Math.max((timestampsMs[index + 1] ?? start + mean) - start, 50));
  reel = { sources, lastsMs, shown: 0, timer: null };
  preview.onload = null;
  preview.src = sources[0];
  show(`${name}, as the model saw it`);
  if (sources.length === 1) pause.hidden = true;
  else setPaused(calm.matches);
}

/** Show words where there is no picture yet. */
export function showWords(text) {
  clear();
  waiting.textContent = text;
  waiting.hidden = false;
}

/** Show nothing. */
export function clear() {
  clearTimeout(reel?.timer);
  reel = null;
  paused = false;
  if (objectUrl) URL.revokeObjectURL(objectUrl);
  objectUrl = null;
  preview.onload = preview.onerror = null;
  preview.removeAttribute("src");
  for (const element of [preview, still, pause, waiting]) element.hidden = true;
}

pause.addEventListener("click", () => setPaused(!paused));

function show(name) {
  waiting.hidden = true;
  preview.alt = `Preview of ${name}`;
  preview.hidden = false;
  pause.hidden = false;
  pause.textContent = "Pause";
}

function setPaused(value) {
  paused = value;
  pause.textContent = paused ? "Play" : "Pause";
  if (reel) {
    clearTimeout(reel.timer);
    if (!paused) reel.timer = setTimeout(step, reel.lastsMs[reel.shown]);
    return;
  }
  if (paused) {
    // A GIF cannot be paused, so a copy of its current frame is shown.
    still.width = preview.naturalWidth;
    still.height = preview.naturalHeight;
    still.getContext("2d").drawImage(preview, 0, 0);
    still.setAttribute("role", "img");
    still.setAttribute("aria-label", preview.alt);
  }
  still.hidden = !paused;
  preview.hidden = paused;
}

function step() {
  reel.shown = (reel.shown + 1) % reel.sources.length;
  preview.src = reel.sources[reel.shown];
  reel.timer = setTimeout(step, reel.lastsMs[reel.shown]);
}
