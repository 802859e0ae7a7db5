// Draws what the server's library of known GIFs says of a GIF: the same footage, and what looks like it.

import { byId, make } from "./dom.js";
import { knownSpan } from "./words.js";

const MOST = 3; // that are shown
// A less similar neighbour is not shown. Of 250 GIFs of 21 shows, the nearest other one was of the same show for 65% of
// those above this, and for 39% of those below.
const ALIKE = 0.6;

let urls = []; // of the thumbnails on the page

/**
 * Draw the evidence of an identification into #evidence.
 * @param {((name: string) => Promise<Blob | null>) | null} thumbnail null where the library has none.
 */
export function drawEvidence(identification, thumbnail) {
  for (const url of urls) URL.revokeObjectURL(url);
  urls = [];
  const clips = evidence(identification);
  byId("evidence").hidden = clips.length === 0;
  byId("known-clips").replaceChildren(...clips.map((clip) => drawn(clip, thumbnail)));
}

// What looks like the GIF supports the shows of the answer, and no others.
function evidence({ matches = [], neighbours = [], verdict }) {
  const names = new Set(matches.map(({ name }) => name));
  const alike = neighbours.filter(
    ({ name, show, similarity }) => similarity >= ALIKE && verdict.names.includes(show) && !names.has(name),
  );
  return [...matches, ...alike].slice(0, MOST);
}

function drawn(clip, thumbnail) {
  const { name, show, known } = clip;
  const item = make(
    "li",
    { className: known ? "same" : "" },
    make(
      "p",
      {},
      known ? "Same footage as " : "Looks like ",
      make("bdi", { textContent: name }), // a name may be written from right to left
      " (",
      make("bdi", { textContent: show }),
      known ? `), ${knownSpan(clip)}` : ")",
    ),
  );
  if (thumbnail) {
    const image = make("img", { alt: "", hidden: true });
    item.prepend(make("span", { className: "thumbnail" }, image)); // takes its place before the picture comes
    load(image, thumbnail(name));
  }
  return item;
}

async function load(image, picture) {
  const blob = await picture;
  if (!blob || !image.isConnected) return;
  image.src = URL.createObjectURL(blob);
  urls.push(image.src);
  image.hidden = false;
}
