// The page: takes GIFs from the visitor, has them identified one after another, and shows the answer or the problem of
// one of them.

import { drawAnswer } from "./answer.js";
import { byId, make } from "./dom.js";
import { drawEvidence } from "./evidence.js";
import { givenIn, heldIn, nameOf, written } from "./given.js";
import {
  Problem,
  describe,
  describeFeedback,
  describeLibrary,
  forget,
  giveFeedback,
  identify,
  teach,
  thumbnail,
} from "./identify.js";
import * as screen from "./screen.js";
import { capital, explain, inShort, taughtWords, teachWords, verdict } from "./words.js";

const EXAMPLE = new URL("example.gif", import.meta.url);
const FOR_ALL = ["UNAUTHORIZED", "OFFLINE"]; // problems that every other item would have, too

// The GIFs: {question, name, state, row of the list; sent 0..1, answer or problem, what was taught with it, and
// feedback: null, "wrong" while the show is asked for, or "sent"}.
// State: waiting -> working -> answered or failed.
let items = [];
let shown = null; // the item on the page; null on the empty page
let running = null; // AbortController of the requests
let key = ""; // for this server; only in memory
let server = null; // {shows, library: {writable, thumbnails, keeps_thumbnails} or null, feedback: {open, keeps_gifs}}
let countdown = null;

// Input

byId("file").addEventListener("change", (event) => {
  ask([...event.target.files].map((file) => ({ file })));
  event.target.value = ""; // so that the same file can be chosen again
});

byId("invitation").addEventListener("click", () => byId("file").click()); // the button below is for keyboards

byId("address-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const question = written(byId("address").value);
  if (question) ask([question]);
});

byId("example").addEventListener("click", async () => {
  try {
    const response = await fetch(EXAMPLE);
    const bytes = await response.blob();
    ask([{ file: new File([bytes], "example.gif", { type: "image/gif" }), example: true }]);
  } catch {
    byId("example").textContent = "The example did not come. Try again";
    say("The example did not come.");
  }
});

document.addEventListener("paste", (event) => {
  const writing = event.target instanceof HTMLInputElement && event.target.type !== "file";
  if (writing && event.clipboardData.files.length === 0) return; // text goes where it is pasted
  take(event, event.clipboardData);
});

let depth = 0; // dragenter and dragleave come for every element that is crossed
document.addEventListener("dragenter", (event) => {
  const held = heldIn(event.dataTransfer);
  if (held === 0) return;
  depth += 1;
  byId("drop").firstChild.textContent = held === 1 ? "Let go to ask about this GIF" : `Let go to ask about ${held} GIFs`;
  byId("drop").hidden = false;
});
document.addEventListener("dragleave", (event) => {
  if (heldIn(event.dataTransfer) === 0) return;
  depth = Math.max(depth - 1, 0);
  byId("drop").hidden = depth === 0;
});
document.addEventListener("dragover", (event) => {
  if (heldIn(event.dataTransfer) > 0) event.preventDefault();
});
document.addEventListener("drop", (event) => {
  depth = 0;
  byId("drop").hidden = true;
  take(event, event.dataTransfer);
});

function take(event, transfer) {
  const questions = givenIn(transfer);
  if (questions.length === 0) return;
  event.preventDefault();
  ask(questions);
}

// Requests

/** Identify these in place of the ones before; files are added to an existing list. */
function ask(questions, leavesEmptyPage = !shown) {
  if (questions.length === 0) return; // the file dialog was cancelled
  const given = questions.map((question) => ({ question, name: nameOf(question), state: "waiting", row: row() }));
  if (shown && items.length > 1 && given[0].question.file) {
    items.push(...given);
  } else {
    stop();
    items = given;
  }
  if (leavesEmptyPage) history.pushState({ asked: true }, "");
  for (const item of given) item.row.firstChild.addEventListener("click", () => show(item));
  byId("items").replaceChildren(...items.map((item) => item.row));
  show(given[0]);
  byId("progress-title").focus({ preventScroll: true });
  work();
}

/** Identify the waiting items, one after another. */
async function work() {
  if (running) return;
  const mine = (running = new AbortController());
  for (let item; (item = items.find(({ state }) => state === "waiting")); ) {
    change(item, { state: "working", sent: item.question.file ? 0 : 1 });
    try {
      const onSent = (sent) => item.state === "working" && change(item, { sent });
      const answer = await identify(item.question, { key, signal: mine.signal, onSent });
      await learn(); // it may have failed without a key
      if (mine.signal.aborted) return;
      change(item, { state: "answered", answer, feedback: null });
    } catch (problem) {
      if (mine.signal.aborted) return;
      if (problem.reason === "OVERLOADED" && items.length > 1) {
        change(item, { state: "waiting" });
        await new Promise((resolve) => setTimeout(resolve, (problem.retryAfterS ?? 1) * 1000));
        if (mine.signal.aborted) return;
        continue;
      }
      change(item, { state: "failed", problem });
      if (!(problem instanceof Problem)) {
        running = null;
        throw problem; // a bug of this page
      }
      if (FOR_ALL.includes(problem.reason)) {
        if (item !== shown) show(item);
        break; // the others wait until this one is tried again
      }
    }
  }
  running = null;
  if (items.length > 1) say(byId("queue-title").textContent);
}

/** Abort the request in progress; its item waits again. */
function stop() {
  running?.abort();
  running = null;
  for (const item of items) if (item.state === "working") item.state = "waiting";
}

byId("cancel").addEventListener("click", cancel);
byId("stop").addEventListener("click", cancel);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && running && !byId("large").open) cancel();
});

/** Remove the items without an answer. If none is left, show the empty page. */
function cancel() {
  stop();
  items = items.filter(({ state }) => state !== "waiting");
  byId("items").replaceChildren(...items.map((item) => item.row));
  if (items.length > 0) {
    show(items.includes(shown) ? shown : items.at(-1));
    return;
  }
  history.replaceState(null, "", "./");
  empty();
  say("Cancelled");
  byId("file").focus();
}

byId("again").addEventListener("click", tryAgain);
byId("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  key = byId("key").value.trim();
  tryAgain();
});

function tryAgain() {
  change(shown, { state: "waiting" });
  byId("progress-title").focus({ preventScroll: true });
  work();
}

// Back leads to the empty page, and Forward to the items, as long as the page has them.
addEventListener("popstate", () => {
  if (history.state?.asked && items.length > 0) {
    show(items[0]);
    work();
  } else if (!askLinked()) {
    stop();
    empty();
  }
});

// Drawing

function show(item) {
  shown = item;
  byId("address").value = item.question.address ?? "";
  const place = item.question.address ? `?url=${encodeURIComponent(item.question.address)}` : "./";
  history.replaceState(history.state, "", place);
  byId("example-credit").hidden = !item.question.example;
  drawScreen();
  draw();
}

function change(item, changes) {
  Object.assign(item, changes);
  if (item !== shown) {
    if (changes.state) drawList();
  } else if (!changes.state) {
    drawProgress();
  } else {
    if (!item.question.file || item.unreadable) drawScreen(); // else it plays on
    draw();
  }
}

/** Show the file itself, or the frames of the answer if the browser cannot show it or has only an address. */
function drawScreen() {
  const item = shown;
  const { state, question, name, answer, unreadable } = item;
  if (state === "answered" && (unreadable || !question.file)) {
    screen.showReel(answer.pictures, answer.votes.map((vote) => vote.offset_ms), name);
  } else if (question.address) {
    screen.showWords(state === "failed" ? question.address : `Fetching it from ${name}…`);
  } else if (unreadable) {
    screen.showWords("This file has no picture to show.");
  } else {
    screen.showFile(question.file, name, () => {
      item.unreadable = true;
      drawScreen();
    });
  }
}

function draw() {
  const { state, question, answer, problem, name } = shown;
  const focused = document.activeElement;
  const follows = focused === document.body || document.querySelector(".side").contains(focused);
  drawList();
  if (state === "answered") {
    drawAnswer(answer);
    drawEvidence(answer, server?.library?.thumbnails ? (of) => thumbnail(of, key) : null);
    drawFeedback();
    drawTeaching();
    byId("copy").hidden = !question.address || !navigator.clipboard; // which browsers give to https and localhost
    byId("copy").textContent = "Copy link";
    enter("answered");
    const words = verdict(answer);
    say(`${words.title.replace(/\.$/, "")}. ${words.text}`);
    document.title = `${capital(answer.verdict.text)} · Which show is this GIF from?`;
    if (follows) byId("answer-title").focus();
  } else if (state === "failed") {
    const words = explain(problem, question, key !== "");
    byId("problem-title").textContent = words.title;
    byId("problem-text").textContent = words.text;
    byId("problem-code").textContent = [problem.reason, problem.requestId].filter(Boolean).join(" · ");
    byId("key-form").hidden = problem.reason !== "UNAUTHORIZED";
    byId("again").hidden = !words.again;
    enter("failed");
    wait(problem.retryAfterS);
    say(`${words.title} ${words.text}`);
    if (follows && problem.reason === "UNAUTHORIZED") byId("key").select();
    else if (follows) byId("problem-title").focus();
  } else {
    enter("working");
    drawProgress();
    say(`Asking about ${name}`);
  }
}

function drawProgress() {
  const { state, question, name, sent } = shown;
  const sending = state === "working" && sent < 1;
  const looking = question.address ? "Fetching and looking…" : "Looking at its frames…";
  const text = sending ? `Sending ${name}…` : looking;
  byId("progress-title").textContent = state === "waiting" ? "Waiting for its turn…" : text;
  const meter = byId("meter");
  if (sending) {
    meter.setAttribute("aria-valuenow", Math.round(sent * 100));
    meter.firstElementChild.style.setProperty("--done", sent.toFixed(3));
  } else {
    meter.removeAttribute("aria-valuenow");
  }
}

/** The list of several GIFs, each with its state. */
function drawList() {
  byId("queue").hidden = items.length < 2 || !shown;
  const open = items.filter(({ state }) => state === "waiting" || state === "working").length;
  byId("queue-title").textContent = `${items.length - open} of ${items.length} GIFs done`;
  byId("stop").hidden = open === 0;
  for (const item of items) {
    const [button] = item.row.children;
    button.replaceChildren(
      make("span", { className: "name", textContent: item.name }),
      " ",
      make("span", { className: "said", textContent: inShort(item) }),
    );
    button.setAttribute("aria-current", item === shown);
  }
}

function row() {
  return make("li", {}, make("button", { type: "button" }));
}

function empty() {
  shown = null;
  byId("address").value = "";
  byId("example-credit").hidden = true;
  screen.clear();
  drawList();
  enter("empty");
}

/** Disable "Try again" until the server accepts requests again. */
function wait(seconds) {
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
  byId("large").close();
  clearInterval(countdown);
  if (state !== "answered") document.title = "Which show is this GIF from?";
}

function say(text) {
  byId("status").textContent = text;
}

byId("copy").addEventListener("click", async () => {
  const copied = await navigator.clipboard.writeText(location.href).then(() => true, () => false);
  byId("copy").textContent = copied ? "Copied" : "Your browser does not allow it";
  say(byId("copy").textContent);
});

// What the server knows

learn();

/** Ask the server what it knows, once, or once more. */
async function learn(again = false) {
  if (server && !again) return;
  try {
    const [{ shows, library }, feedback] = await Promise.all([describe(key), describeFeedback(key)]);
    server = { shows, library: library ? await describeLibrary(key) : null, feedback };
    const taught = library ? library.shows.filter((show) => !shows.includes(show)) : [];
    const titles = [...shows, ...taught];
    byId("titles").replaceChildren(...titles.map((show) => make("li", { textContent: show })));
    byId("suggestions").replaceChildren(...titles.map((show) => make("option", { value: show })));
    const more = taught.length > 0 ? `, and ${taught.length} more that I was taught` : "";
    byId("known-note").textContent = `I know ${shows.length} shows${more}. I should call any other GIF unknown, but I do not always.`;
  } catch (problem) {
    byId("known-note").textContent = explain(problem).title;
    if (!(problem instanceof Problem)) throw problem;
  }
}

// Feedback

function drawFeedback() {
  const { answer, feedback } = shown;
  byId("feedback").hidden = !server?.feedback.open || !answer.id;
  byId("feedback-question").hidden = Boolean(feedback);
  byId("feedback-form").hidden = feedback !== "wrong";
  byId("consent-label").hidden = !server?.feedback.keeps_gifs;
  byId("feedback-text").textContent = feedback === "sent" ? "Thank you." : "";
  if (!feedback) byId("feedback-form").reset();
}

byId("right").addEventListener("click", () => sendFeedback({ right: true }, false));
byId("wrong").addEventListener("click", () => {
  shown.feedback = "wrong";
  drawFeedback();
  byId("right-show").focus();
});
byId("feedback-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const show = byId("right-show").value.trim();
  sendFeedback({ right: false, ...(show && { show }) }, byId("consent").checked);
});

async function sendFeedback(said, consent) {
  const item = shown;
  const buttons = document.querySelectorAll("#feedback button");
  for (const button of buttons) button.disabled = true;
  try {
    await giveFeedback({ answer: item.answer.id, ...said }, consent ? item.question : null, key);
    item.feedback = "sent";
    if (item === shown) drawFeedback();
    say("Thank you.");
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    const words = explain(problem, item.question, key !== "");
    if (item === shown) byId("feedback-text").textContent = `${words.title} ${words.text}`;
    say(`${words.title} ${words.text}`);
  } finally {
    for (const button of buttons) button.disabled = false;
  }
}

// Teaching

function drawTeaching() {
  const { answer, taught } = shown;
  const writable = Boolean(server?.library?.writable);
  byId("teach").hidden = !writable || Boolean(taught);
  byId("teach").open = !answer.known;
  byId("taught").hidden = !taught;
  byId("teach-problem").textContent = "";
  if (writable) byId("teach-note").textContent = teachWords(server.library);
  if (taught) byId("taught-text").textContent = taughtWords(taught, server.shows.includes(taught.show));
}

byId("teach-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const { question } = shown;
  changeLibrary(() => teach(question, byId("title").value, key));
});
byId("undo").addEventListener("click", () => {
  const { taught } = shown;
  changeLibrary(async () => {
    try {
      await forget(taught.name, key);
    } catch (problem) {
      if (problem.reason !== "NOT_IN_LIBRARY") throw problem; // somebody else has removed it
    }
    return null;
  });
});

/** Change the library for the GIF on the page by a request, and identify the GIF once more. */
async function changeLibrary(request) {
  const item = shown;
  const buttons = document.querySelectorAll("#teach button, #undo");
  for (const button of buttons) button.disabled = true;
  try {
    item.taught = await request();
    await learn(true);
    change(item, { state: "waiting" });
    if (item === shown) byId("progress-title").focus({ preventScroll: true });
    work();
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    const words = explain(problem, item.question, key !== "");
    if (item === shown) byId("teach-problem").textContent = `${words.title} ${words.text}`;
    say(`${words.title} ${words.text}`);
  } finally {
    for (const button of buttons) button.disabled = false;
  }
}

// A link with an address

askLinked();

/** Identify the address in this page's own address; false if there is none. */
function askLinked() {
  const question = written(new URLSearchParams(location.search).get("url") ?? "");
  if (question) ask([question], false);
  return question !== null;
}
