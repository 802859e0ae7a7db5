// Asks a gateway with the types that openapi-typescript makes of its document: `node client.js URL FILE`.

import { readFile } from "node:fs/promises";
import createClient from "openapi-fetch";
import type { components, paths } from "./gif_analyzer.js";

const [url = "", file = ""] = process.argv.slice(2);
const gif = await readFile(file);
const client = createClient<paths>({ baseUrl: url, headers: { "X-API-Key": "key" } });

/** The document says of bytes that they are a string of the format "binary", so the types do. */
const bytes = new Blob([gif]) as unknown as string;

const form = await client.POST("/v1/identify", {
  params: { query: { top_k: 2, pictures: true } },
  body: { file: bytes },
  bodySerializer: () => {
    const data = new FormData();
    data.append("file", new Blob([gif]), "some.gif");
    return data;
  },
});
const raw = await client.POST("/v1/identify", {
  headers: { "Content-Type": "image/gif" },
  body: bytes,
  bodySerializer: () => gif,
});
const sent = await client.POST("/v1/identify", { body: { url: "https://giphy.com/some.gif" } });

const named = await client.GET("/v1/identify", { params: { query: { url: "https://giphy.com/some.gif" } } });
const etag = named.response.headers.get("ETag") ?? "";
const again = await client.GET("/v1/identify", {
  params: { query: { url: "https://giphy.com/some.gif" }, header: { "If-None-Match": etag } },
});

const missing = await client.GET("/v1/identify", { params: { query: { url: "https://giphy.com/none.gif" } } });
const problem: components["schemas"]["Problem"] | undefined = missing.error;

const taught = await client.POST("/v1/library", {
  params: { query: { show: "Some Show" } },
  body: { file: bytes },
  bodySerializer: () => {
    const data = new FormData();
    data.append("file", new Blob([gif]), "some.gif");
    return data;
  },
});
const library = await client.GET("/v1/library");
const thumbnail = await client.GET("/v1/library/thumbnail", {
  params: { query: { name: "some.gif" } },
  parseAs: "arrayBuffer",
});
const forgotten = await client.DELETE("/v1/library", { params: { query: { name: "some.gif" } } });

const model = await client.GET("/v1/model");
const shows = await client.GET("/v1/shows");
const live = await client.GET("/health/live");
const ready = await client.GET("/health/ready");

if (!form.data) throw new Error(form.error.message); // without it, `data` may be undefined: the types know that
const [vote] = form.data.votes;
const level: "show" | "one_of" | "kind" | "unknown" = form.data.verdict.level;
console.log(
  JSON.stringify({
    verdicts: [level, raw.data?.verdict.level, sent.data?.verdict.level, named.data?.verdict.level],
    offset_ms: vote?.offset_ms.toFixed(0), // a number
    pictures: form.data.pictures.length,
    not_modified: again.response.status,
    problem: [problem?.status, problem?.reason, problem?.message, problem?.details],
    taught: taught.data,
    library: library.data?.clip_count,
    thumbnail: thumbnail.data?.byteLength,
    forgotten: forgotten.data,
    model: model.data,
    shows: shows.data?.shows,
    health: [live.data?.status, ready.data?.status],
  }),
);
