// The page: **what a visitor gives** -> one question at a time -> progress -> **an answer, or a problem in words**.

import { drawAnswer } from "./answer.js";
import { givenIn, mayBeGiven, nameOf, written } from "./given.js";
import { Problem, identify, knownShows } from "./identify.js";
import * as screen from "./screen.js";
import { capital, explain, verdict } from "./words.js";

const byId = (id) => document.getElementById(id);
const EXAMPLE = new URL("example.gif", import.meta.url);

let asked = null; // the question on the page
let running = null; // AbortController of the request on its way
let key = ""; // of this server; in memory alone
let countdown = null;

// Ways in

byId("file").addEventListener("change", (event) => {
  const [file] = event.target.files;
  if (file) ask({ file });
  event.target.value = ""; // so that the same file can be chosen again
});

byId("invitation").addEventListener("click", () => byId("file").click()); // the button below is for keyboards

byId("address-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const question = written(byId("address").value);
  if (question) ask(question);
});

byId("example").addEventListener("click", async () => {
  try {
    const response = await fetch(EXAMPLE);
    const bytes = await response.blob();
    ask({ file: new File([bytes], "example.gif", { type: "image/gif" }) });
  } catch {
    fail({ reason: navigator.onLine ? "NO_ANSWER" : "OFFLINE" });
  }
});

document.addEventListener("paste", (event) => {
  const writing = event.target instanceof HTMLInputElement && event.target.type !== "file";
  if (writing && event.clipboardData.files.length === 0) return; // text goes where it is pasted
  const question = givenIn(event.clipboardData);
  if (!question) return;
  event.preventDefault();
  ask(question);
});

let depth = 0; // dragenter and dragleave come for every element that is crossed
document.addEventListener("dragenter", (event) => {
  if (!mayBeGiven(event.dataTransfer)) return;
  depth += 1;
  byId("drop").hidden = false;
});
document.addEventListener("dragleave", (event) => {
  if (!mayBeGiven(event.dataTransfer)) return;
  depth = Math.max(depth - 1, 0);
  byId("drop").hidden = depth === 0;
});
document.addEventListener("dragover", (event) => {
  if (mayBeGiven(event.dataTransfer)) event.preventDefault();
});
document.addEventListener("drop", (event) => {
  depth = 0;
  byId("drop").hidden = true;
  const question = givenIn(event.dataTransfer);
  if (!question) return;
  event.preventDefault();
  ask(question);
});

// Asking

byId("cancel").addEventListener("click", () => running?.abort());
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") running?.abort();
});
byId("again").addEventListener("click", () => asked && ask(asked));
byId("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  key = byId("key").value.trim();
  if (asked) ask(asked);
});

async function ask(question) {
  running?.abort();
  const mine = (running = new AbortController());
  asked = question;
  byId("address").value = question.address ?? "";
  history.replaceState(null, "", question.address ? `?url=${encodeURIComponent(question.address)}` : "./");
  const name = nameOf(question);
  if (question.file) screen.showFile(question.file, name, () => screen.showWords("This file has no picture to show."));
  else screen.showWords(`Fetching it from ${name}…`);
  enter("working");
  progress(question.file ? 0 : null, question.file ? `Sending ${name}…` : "Fetching and looking…");
  say(`Asking about ${name}`);
  byId("progress-title").focus({ preventScroll: true });

  try {
    const identification = await identify(question, {
      key,
      signal: mine.signal,
      onSent: (fraction) => {
        if (running !== mine || !question.file) return;
        if (fraction < 1) progress(fraction, `Sending ${name}…`);
        else progress(null, "Looking at its frames…");
      },
    });
    if (running === mine) show(identification, question);
  } catch (problem) {
    if (running === mine) fail(problem);
    if (!(problem instanceof Problem)) throw problem; // a fault of this page
  }
}

function show(identification, question) {
  running = null;
  drawAnswer(identification);
  if (question.address && identification.pictures?.length > 0) {
    const times = identification.frames.map((vote) => vote.timestamp_ms);
    screen.showReel(identification.pictures, times, nameOf(question));
  }
  enter("answered");
  listShows(); // which may have waited for a key
  const words = verdict(identification);
  say(`${words.title.replace(/\.$/, "")}. ${words.text}`);
  document.title = `${capital(identification.verdict.text)} · Which show is this GIF from?`;
  byId("answer-title").focus();
}

function fail(problem) {
  running = null;
  if (problem.reason === "CANCELLED") {
    reset();
    return;
  }
  const words = explain(problem, asked, key !== "");
  byId("problem-title").textContent = words.title;
  byId("problem-text").textContent = words.text;
  byId("problem-code").textContent = [problem.reason, problem.requestId].filter(Boolean).join(" · ");
  byId("key-form").hidden = problem.reason !== "UNAUTHORIZED";
  byId("again").hidden = !words.again || !asked;
  if (asked?.address) screen.showWords(asked.address);
  enter("failed");
  wait(problem.retryAfterS);
  say(`${words.title} ${words.text}`);
  if (problem.reason === "UNAUTHORIZED") byId("key").select();
  else byId("problem-title").focus();
}

/** After Cancel: as if nothing had been asked. */
function reset() {
  asked = null;
  screen.clear();
  enter("empty");
  history.replaceState(null, "", "./");
  say("Cancelled");
  byId("file").focus();
}

/** Keep "Try again" back until the server takes calls again. */
function wait(seconds) {
  clearInterval(countdown);
  const button = byId("again");
  let left = Math.ceil(Math.min(seconds ?? 0, 600));
  const tick = () => {
    button.disabled = left > 0;
    button.textContent = left > 0 ? `Try again in ${left} s` : "Try again";
    if (left <= 0) clearInterval(countdown);
    left -= 1;
  };
  tick();
  if (left >= 0) countdown = setInterval(tick, 1000);
}

function enter(state) {
  document.body.dataset.state = state;
  byId("progress").hidden = state !== "working";
  byId("answer").hidden = state !== "answered";
  byId("strip").hidden = state !== "answered";
  byId("problem").hidden = state !== "failed";
  if (state !== "answered") document.title = "Which show is this GIF from?";
  if (state !== "failed") clearInterval(countdown);
}

function progress(fraction, text) {
  const meter = byId("meter");
  byId("progress-title").textContent = text;
  if (fraction === null) {
    meter.removeAttribute("aria-valuenow");
    return;
  }
  meter.setAttribute("aria-valuenow", Math.round(fraction * 100));
  meter.firstElementChild.style.setProperty("--done", fraction.toFixed(3));
}

function say(text) {
  byId("status").textContent = text;
}

// What it knows

listShows();

async function listShows() {
  if (byId("titles").childElementCount > 0) return;
  try {
    const shows = await knownShows(key);
    byId("titles").replaceChildren(
      ...shows.map((show) => Object.assign(document.createElement("li"), { textContent: show })),
    );
    byId("known-note").textContent = `I know ${shows.length} shows. I should call any other GIF unknown, but I do not always.`;
  } catch (problem) {
    byId("known-note").textContent = explain(problem).title;
    if (!(problem instanceof Problem)) throw problem;
  }
}

// A link that asks

const linked = written(new URLSearchParams(location.search).get("url") ?? "");
if (linked) ask(linked);
