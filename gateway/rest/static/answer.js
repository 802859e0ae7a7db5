// Draws an answer: the ranked shows, the strip of frames with their votes, and one frame large.

import { byId, make } from "./dom.js";
import { formatName, isSure, isTaught, percent, rankingWords, seconds, stripWords, verdict } from "./words.js";

let frames = []; // of the current answer: {source, words}
let large = 0; // index of the frame that is shown large

/** Draw an identification into #answer and #strip, replacing the one before. */
export function drawAnswer(identification) {
  const words = verdict(identification);
  const ranking = rankingWords(identification);
  byId("answer-title").textContent = words.title;
  byId("verdict").textContent = words.text;
  byId("shows-title").textContent = ranking.title;
  byId("shows-note").textContent = ranking.note;
  byId("shows-note").hidden = ranking.note === "";
  byId("ranking").open = identification.known;
  byId("answer").classList.toggle("unsure", identification.verdict.level !== "show");
  byId("shows").replaceChildren(
    ...identification.shows.map((show, rank) => rankedShow(show, rank, identification.verdict.names)),
  );
  const { name, version } = identification.model;
  const format = formatName(identification.format);
  byId("model").textContent = `${format ? `${format} · ` : ""}Model ${name} ${version}`;
  drawStrip(identification);
}

function rankedShow({ show, probability }, rank, named) {
  const bar = make("span", { className: "bar" }, make("span"));
  bar.firstChild.style.setProperty("--share", probability.toFixed(4));
  bar.setAttribute("aria-hidden", "true");
  return make(
    "li",
    { className: named.includes(show) ? `named ${colour(rank)}` : colour(rank) },
    make("span", { textContent: show }),
    make("span", { className: "share", textContent: percent(probability) }),
    bar,
  );
}

function drawStrip(identification) {
  const strip = stripWords(identification);
  byId("strip-title").textContent = strip.title;
  byId("strip-text").textContent = strip.text;
  const ranks = new Map(identification.shows.map(({ show }, rank) => [show, rank]));
  // The votes mean nothing for a GIF of another show, or of one that no frame can vote for: its frames get none.
  const taught = isTaught(identification);
  const judged = identification.known && !taught;
  const votes = identification.votes.map((vote) => ({
    time: seconds(vote.offset_ms),
    title: judged ? vote.show : taught ? "not judged" : "not known",
    share: judged ? percent(vote.probability) : "",
    colour: judged ? colour(ranks.get(vote.show)) : "show-none",
    sure: isSure(identification, vote),
  }));
  frames = votes.map(({ time, title, share }, index) => ({
    source: `data:image/jpeg;base64,${identification.pictures[index]}`,
    words: [time, title, share].filter(Boolean).join(" · "),
  }));
  byId("frames").replaceChildren(...votes.map((_, index) => frameInStrip(votes, index)));
  byId("frames").scrollLeft = 0;
}

/** One frame and its vote under it; neighbours with the same vote share one line and one visible name. */
function frameInStrip(votes, index) {
  const vote = votes[index];
  const starts = votes[index - 1]?.title !== vote.title;
  const item = make("li", { className: vote.colour });
  item.classList.toggle("unsure", !vote.sure);
  item.classList.toggle("starts", starts);
  item.classList.toggle("joined", !starts);
  item.classList.toggle("ends", votes[index + 1]?.title !== vote.title);
  if (starts) item.style.setProperty("--run", runFrom(votes, index));
  const button = make(
    "button",
    { className: "frame", type: "button", ariaLabel: `Show the frame at ${vote.time} large`, ariaHasPopup: "dialog" },
    make("img", { alt: "", src: frames[index].source }),
    make("span", { className: "time", textContent: `${vote.time} ` }),
  );
  button.addEventListener("click", () => open(index));
  item.append(
    button,
    make("span", { className: "vote" }),
    make("span", { className: "share", textContent: `${vote.share} ` }),
    make("span", { className: "title", textContent: vote.title }),
  );
  return item;
}

function runFrom(votes, start) {
  const after = votes.findIndex((vote, index) => index > start && vote.title !== votes[start].title);
  return (after === -1 ? votes.length : after) - start;
}

function colour(rank) {
  return rank === undefined || rank >= 5 ? "show-other" : `show-${rank + 1}`;
}

// One frame large

const dialog = byId("large");
byId("earlier").addEventListener("click", () => turn(-1));
byId("later").addEventListener("click", () => turn(1));
dialog.addEventListener("keydown", (event) => {
  if (event.key === "ArrowLeft") turn(-1);
  if (event.key === "ArrowRight") turn(1);
});
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close(); // beside the picture
});
dialog.addEventListener("close", () => byId("frames").children[large]?.firstChild.focus());

function open(index) {
  large = index;
  turn(0);
  dialog.showModal();
}

function turn(step) {
  large = (large + step + frames.length) % frames.length;
  byId("large-picture").src = frames[large].source;
  byId("large-title").textContent = frames[large].words;
  for (const id of ["earlier", "later"]) byId(id).hidden = frames.length === 1;
}
