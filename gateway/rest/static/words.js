// Puts answers and problems into sentences.

const WHOLE = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 0 });
const COUNTS = ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
const CLIP_FRAMES = 10; // that the model looks at, where they all differ
const SURE = 0.95; // a less probable show is "probably" the one
const ENOUGH = 5; // GIFs of a show from which on it is found again well
const EVEN = 0.5; // a less probable vote of a frame is more likely wrong than right

/** 0..1 -> "94%"; only 0 is "0%", and only 1 is "100%". */
export function percent(probability) {
  if (probability > 0 && probability < 0.005) return "under 1%";
  if (probability < 1 && probability >= 0.995) return "over 99%";
  return WHOLE.format(probability);
}

/** Milliseconds -> "1.65 s". */
export function seconds(milliseconds) {
  return `${(milliseconds / 1000).toFixed(2)} s`;
}

/** When known footage shows what it has in common with a GIF, such as "3.2 s to 5.0 s, mirrored". */
export function knownSpan({ known, mirrored }) {
  const [start, end] = [known.start_ms, known.end_ms].map((time) => `${(time / 1000).toFixed(1)} s`);
  return `${start === end ? start : `${start} to ${end}`}${mirrored ? ", mirrored" : ""}`;
}

/** What teaching a GIF stores. */
export function teachWords({ keeps_thumbnails: keepsThumbnails }) {
  const picture = keepsThumbnails ? "and one small picture of it" : "and no picture";
  return `The server's library keeps the name or address of the GIF, numbers that describe its frames, ${picture}. Its answers to everybody use them.`;
}

/** What came of teaching a GIF; `known` says whether the model itself knows the show. */
export function taughtWords({ show, clip_count: clips }, known) {
  if (known) return `Taught as ${show}. I knew this show before: GIFs with the same footage are found now, and the ranking stays.`;
  const more = clips < ENOUGH ? "; five are a good start" : "";
  return `Taught as ${show}. The library has ${clips} GIF${clips === 1 ? "" : "s"} of it${more}.`;
}

/** Whether the first show of an answer is one that only the library teaches, so that no frame can vote for it. */
export function isTaught({ votes, shows: [first], matches = [], neighbours = [] }) {
  return (
    !votes.some((vote) => vote.show === first.show) && [...matches, ...neighbours].some(({ show }) => show === first.show)
  );
}

/** The headline of an answer and the sentence under it: {title, text}. */
export function verdict(identification) {
  const { verdict: { level, text }, shows: [first] } = identification;
  if (level === "show") {
    const probably = first.probability < SURE ? "probably " : "";
    return {
      title: `This is ${probably}${text}.`,
      text: `${capital(sure(first.probability))}: ${agreeing(identification)}.`,
    };
  }
  if (level === "one_of") {
    return {
      title: text,
      text: `The GIF fits each of them. It fits ${first.show} best, ${percent(first.probability)}.`,
    };
  }
  if (level === "kind") return { title: capital(text), text: "I can tell the kind of picture, but not the show." };
  return { title: "I do not know this one", text: "It is not enough like any show that I know." };
}

/** The heading of the ranked shows, and a note on how to read the figures. */
export function rankingWords({ known }) {
  if (known) return { title: "How probable each show is", note: "" };
  return {
    title: "Nearest guesses",
    note: "These figures compare the shows that I know with each other. Every picture gets some, so they do not say that it is from one of them.",
  };
}

/** Whether a frame by itself says which show it is from, and the answer as a whole does. */
export function isSure(identification, vote) {
  return identification.verdict.level === "show" && vote.probability >= EVEN && !isTaught(identification);
}

/** The heading of the strip of frames, and the sentence under it. */
export function stripWords(identification) {
  const count = identification.votes.length;
  const hatched = identification.votes.every((vote) => isSure(identification, vote)) ? "" : " Hatched means not sure.";
  if (count === 1) {
    return {
      title: "The one frame the model looked at",
      text: `A still image is one frame. The model sees it squeezed to a square.${hatched}`,
    };
  }
  if (isTaught(identification)) {
    return {
      title: `The ${COUNTS[count - 2]} frames the model looked at`,
      text: "This show was taught with whole GIFs, so its frames are not judged alone. The model sees each squeezed to a square.",
    };
  }
  const equal = count < CLIP_FRAMES ? " Equal frames are shown once." : "";
  return {
    title: `The ${COUNTS[count - 2] ?? count} frames the model looked at`,
    text: `Each is judged alone here, and the answer weighs them together. The model sees each squeezed to a square.${equal}${hatched}`,
  };
}

/** The text about one item, {state, answer, problem, question}, in the list of several GIFs. */
export function inShort({ state, answer, problem, question }) {
  if (state === "waiting") return "Waiting";
  if (state === "working") return "Looking…";
  if (state === "failed") return explain(problem, question).title;
  const { verdict: { level, text }, shows: [first] } = answer;
  const seen = answer.matches?.length > 0 ? ` · same footage as ${answer.matches[0].name}` : "";
  return (level === "show" ? `${text}, ${percent(first.probability)}` : capital(text)) + seen;
}

function agreeing(identification) {
  const { votes, shows: [first] } = identification;
  const agree = votes.filter((vote) => vote.show === first.show && isSure(identification, vote)).length;
  if (isTaught(identification)) {
    const seen = identification.matches.some(({ show }) => show === first.show);
    return seen ? "I was taught this footage" : "GIFs that I was taught look like this one";
  }
  if (agree === 0) return "no frame says so on its own, but together they do";
  if (votes.length === 1) return "the one frame says so";
  return agree === votes.length ? `all ${agree} frames say so` : `${agree} of ${votes.length} frames say so on their own`;
}

function sure(probability) {
  if (probability >= 0.9) return `${percent(probability)} sure`;
  if (probability >= 0.6) return `Fairly sure, ${percent(probability)}`;
  if (probability >= 0.35) return `Not so sure, ${percent(probability)}`;
  return `A guess, ${percent(probability)}`;
}

/** The words for a problem: {title, text, again: whether trying again may help}. */
export function explain(problem, question, keyWasGiven = false) {
  const about = problem.details ?? {};
  const host = about.host ?? "that host";
  const say = {
    OFFLINE: ["You are offline.", "Your GIF has not left this device. Connect, and try again.", true],
    NO_ANSWER: [
      "No answer came back.",
      `The server did not answer${sizeHint(question)}. Check your connection and try again.`,
      true,
    ],
    NOT_A_GIF: ["That is not a GIF.", `It is ${about.found ?? "something else"}. GIF, WebP, APNG, PNG and JPEG can be named: save it as one of these, or try another.`],
    CORRUPT_GIF: ["This GIF is broken.", "Not one whole frame of it can be read. Perhaps it was cut off on its way: save it again."],
    GIF_TOO_LARGE: ["This GIF is too large.", tooLarge(about)],
    REQUEST_TOO_LARGE: [
      "This GIF is too large.",
      `${tooLarge({ ...about, found: question?.file?.size })} ${sentence(about.advice)}`.trim(),
    ],
    MESSAGE_TOO_LARGE: ["This GIF is too large.", "The service behind this page takes smaller ones."],
    REQUEST_TOO_SLOW: ["Your GIF arrived too slowly.", "The server stopped waiting for it. Try again over a faster connection, or try a smaller GIF.", true],
    UNSUPPORTED_MEDIA: ["That is not a GIF.", sentence(problem.message)],
    INVALID_ADDRESS: ["That is not an address.", `${sentence(about.why ?? problem.message)} It should look like https://media.giphy.com/….gif`],
    ADDRESS_REFUSED: [
      `This page may not ask ${host}.`,
      `${sentence(about.why)} Save the GIF and choose its file instead.`,
    ],
    NOT_FETCHABLE: [`${capital(host)} has no GIF there.`, `${sentence(about.why)} Check the address, or save the GIF and choose its file.`],
    FETCH_FAILED: [`${capital(host)} did not give the GIF.`, `${sentence(about.why)} Check the address, or save the GIF and choose its file.`, true],
    FETCH_TIMEOUT: [`${capital(host)} is too slow.`, "The whole file did not come in time. Try again, or save the GIF and choose its file.", true],
    UNAUTHORIZED: keyWasGiven
      ? ["This is not a key of this server.", "Check it for a slip, or ask whoever runs the server for another."]
      : ["This server asks for a key.", "Whoever runs it can give you one. Your GIF waits here meanwhile."],
    OVERLOADED: ["Many are asking right now.", `Your turn should come ${soon(problem.retryAfterS)}.`, true],
    DEADLINE_EXCEEDED: ["This took too long.", "The answer did not come in time. Try again in a moment.", true],
    SERVICE_UNAVAILABLE: ["The model is not there right now.", `It may be starting. Try again ${soon(problem.retryAfterS)}.`, true],
    RATE_LIMITED: ["Many are saying something right now.", `Try again ${soon(problem.retryAfterS)}.`, true],
    FEEDBACK_CLOSED: ["This server takes no feedback.", "Its answers stay as they are."],
    LIBRARY_READ_ONLY: ["This server does not learn.", "Its library can only be read."],
    LIBRARY_ERROR: ["The library did not take it.", sentence(about.why), true],
    INTERNAL_ERROR: ["Something broke on our side.", "It is not your GIF's fault alone. Trying once more may help.", true],
  }[problem.reason] ?? ["That did not work.", sentence(problem.message), true];
  const [title, text, again = false] = say;
  return { title, text, again };
}

function tooLarge({ limit, allowed, found, unit }) {
  if (!allowed) return "This server takes smaller ones.";
  if (unit && unit !== "bytes") {
    return `It has ${Number(found).toLocaleString("en")} ${unit}; at most ${Number(allowed).toLocaleString("en")} are taken${limit ? ` (${limit})` : ""}.`;
  }
  return `At most ${megabytes(allowed, "floor")} are taken${found ? `, it has ${megabytes(found, "ceil")}` : ""}.`;
}

function sizeHint(question) {
  return question?.file && question.file.size > 4e6
    ? ` to a file of ${megabytes(question.file.size, "ceil")}, which may be too large for it`
    : "";
}

/** Bytes -> "4.6 MB", of a million bytes each; rounded so that a size over a limit never looks like the limit. */
function megabytes(bytes, roundingMode) {
  const number = new Intl.NumberFormat("en", { maximumFractionDigits: 1, roundingMode });
  return `${number.format(Number(bytes) / 1e6)} MB`;
}

function soon(retryAfterS) {
  if (!retryAfterS) return "in a moment";
  const whole = Math.ceil(retryAfterS);
  return `in ${whole} second${whole === 1 ? "" : "s"}`;
}

const FORMATS = { gif: "GIF", webp: "WebP", png: "PNG", apng: "APNG", jpeg: "JPEG", mp4: "MP4", webm: "WebM" };

/** The usual spelling of a file format; "" where the answer does not say. */
export function formatName(format) {
  return FORMATS[format] ?? "";
}

export function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function sentence(text) {
  if (!text) return "";
  return /[.!?]$/.test(text) ? capital(text) : `${capital(text)}.`;
}
