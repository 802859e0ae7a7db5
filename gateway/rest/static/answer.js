// The answer on the page: **identification** -> the ranked shows, and the strip of frames with each one's vote.

import { formatName, percent, seconds, stripWords, verdict } from "./words.js";

const byId = (id) => document.getElementById(id);

/** Draw an identification into #answer and #strip, in place of the one before. */
export function drawAnswer(identification) {
  const words = verdict(identification);
  byId("answer-title").textContent = words.title;
  byId("verdict").textContent = words.text;
  byId("shows-title").textContent = words.list;
  byId("answer").classList.toggle("unsure", identification.verdict.level !== "show");
  const named = identification.known ? identification.verdict.names : [identification.shows[0].show];
  byId("shows").replaceChildren(...identification.shows.map((show, rank) => rankedShow(show, rank, named)));
  const { name, version } = identification.model;
  const format = formatName(identification.format);
  byId("credit").textContent = `${format ? `${format} · ` : ""}Model ${name} ${version}`;
  const strip = stripWords(identification.frames.length);
  byId("strip-title").textContent = strip.title;
  byId("strip-text").textContent = strip.text;
  const ranks = new Map(identification.shows.map(({ show }, rank) => [show, rank]));
  byId("frames").replaceChildren(
    ...identification.frames.map((_, index) => frameInStrip(identification, index, ranks)),
  );
  byId("frames").scrollLeft = 0;
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

/** One frame, and under it its vote: neighbours that say the same share one line and one name to the eye. */
function frameInStrip({ frames, pictures }, index, ranks) {
  const vote = frames[index];
  const starts = frames[index - 1]?.show !== vote.show;
  const ends = frames[index + 1]?.show !== vote.show;
  const item = make("li", { className: colour(ranks.get(vote.show)) });
  item.classList.toggle("starts", starts);
  item.classList.toggle("joined", !starts);
  item.classList.toggle("ends", ends);
  if (starts) item.style.setProperty("--run", runFrom(frames, index));
  const image = make("img", { alt: "", width: 224, height: 224 });
  if (pictures?.[index]) image.src = `data:image/jpeg;base64,${pictures[index]}`;
  item.append(
    image,
    make("span", { className: "time", textContent: `${seconds(vote.timestamp_ms)} ` }),
    make("span", { className: "vote" }),
    make("span", { className: "share", textContent: `${percent(vote.probability)} ` }),
    make("span", { className: "title", textContent: vote.show }),
  );
  return item;
}

function runFrom(frames, start) {
  const after = frames.findIndex((vote, index) => index > start && vote.show !== frames[start].show);
  return (after === -1 ? frames.length : after) - start;
}

function colour(rank) {
  return rank === undefined || rank >= 5 ? "show-other" : `show-${rank + 1}`;
}

function make(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}
