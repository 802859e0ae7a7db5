// The page of the API, made of this server's openapi.json.

import { byId, make } from "./dom.js";
import { examples } from "./examples.js";

const SERVER = new URL(".", document.baseURI);

let definitions = null; // the document that `$ref` refers to

draw();

async function draw() {
  const response = await fetch(new URL("openapi.json", SERVER)).catch(() => null);
  if (!response?.ok) {
    byId("about").textContent = "The server does not answer. Try again in a moment.";
    return;
  }
  const api = await response.json();
  definitions = api;
  byId("about").textContent = `${api.info.description} Version ${api.info.version} of the API.`;
  const operations = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ ...operation, path, name: `${method.toUpperCase()} ${path}` })),
  );
  byId("contents").append(...operations.map(({ name, description, operationId }) =>
    make("li", {}, make("a", { href: `#${operationId}` }, make("code", { textContent: name })), ` ${description}`),
  ));
  byId("languages").hidden = false;
  byId("operations").append(...operations.map(section));
  if (location.hash) byId(location.hash.slice(1))?.scrollIntoView(); // it did not exist when the page was opened
}

function section(operation) {
  const { name, operationId, description, parameters = [], responses } = operation;
  const answers = Object.entries(responses).map(([status, answer]) => [status, resolved(answer)]);
  return make(
    "section",
    { id: operationId },
    make("h2", {}, make("code", { textContent: name })),
    make("p", {}, description),
    ...keys(operation),
    ...table(["Query", "Meaning", "Default"], parameters.filter((one) => one.in === "query").map(parameter)),
    ...examples(operation, SERVER).flatMap(({ title, texts }) => [
      make("h3", {}, title),
      ...Object.entries(texts).map(([language, text]) => code(text, language)),
    ]),
    ...answers.filter(([status]) => status < "400").flatMap(answer),
    make(
      "details",
      {},
      make("summary", {}, "Errors"),
      ...table(["Error", "For example"], answers.filter(([status]) => status >= "400").flatMap(errors)),
    ),
  );
}

function keys({ security }) {
  if (!security) return [];
  const ways = Object.values(definitions.components.securitySchemes).map(({ description }) => description);
  const when = security.some((one) => Object.keys(one).length === 0) ? "This server asks for no key." : "This server asks for a key.";
  return [make("p", {}, ...marked(`${when} A key is sent ${ways.join(" or ")}.`))];
}

function parameter({ name, required, description, schema }) {
  const range = schema.maximum === undefined ? "" : ` ${schema.minimum} to ${schema.maximum}.`;
  return [`\`${name}\``, `${description}${range}`, required ? "required" : schema.default === "" ? "" : `\`${schema.default}\``];
}

function answer([status, { description, content = {} }]) {
  const [media] = Object.values(content);
  if (!media?.schema) return [make("h3", {}, `Answer ${status}`), make("p", {}, description)];
  const described = [...fields(media.schema)].map(([name, text]) => [`\`${name}\``, text]);
  return [make("h3", {}, `Answer ${status}`), code(JSON.stringify(sample(media.schema), null, 2)), ...table(["Field", "Meaning"], described)];
}

function errors([status, { content }]) {
  return Object.values(content).flatMap(({ examples: ofReason }) =>
    Object.entries(ofReason).map(([reason, { value }]) => [`${status} \`${reason}\``, value.message]),
  );
}

// Schemas

function resolved(part) {
  return part.$ref ? part.$ref.split("/").slice(1).reduce((found, name) => found[name], definitions) : part;
}

/** A value that fits a schema. */
function sample(part) {
  const schema = resolved(part);
  const given = schema.examples?.[0] ?? schema.default ?? schema.enum?.[0];
  if (given !== undefined) return given;
  if (schema.type === "object") {
    return Object.fromEntries(Object.entries(schema.properties ?? {}).map(([name, one]) => [name, sample(one)]));
  }
  if (schema.type === "array") return [sample(schema.items)];
  return { string: "…", boolean: true, integer: 1, number: 0.5 }[schema.type] ?? null;
}

/** The fields of a schema that have a description, also nested ones: [name, description]. */
function* fields(part, prefix = "") {
  const schema = resolved(part);
  if (schema.type === "array") yield* fields(schema.items, `${prefix}[]`);
  for (const [name, one] of Object.entries(schema.properties ?? {})) {
    const whole = prefix ? `${prefix}.${name}` : name;
    const { description } = one.description ? one : resolved(one);
    if (description) yield [whole, description];
    yield* fields(one, whole);
  }
}

// Elements

function table(heads, rows) {
  if (rows.length === 0) return [];
  const cells = (row) => row.map((text) => make("td", {}, ...marked(text)));
  return [
    make(
      "table",
      {},
      make("thead", {}, make("tr", {}, ...heads.map((text) => make("th", { scope: "col", textContent: text })))),
      make("tbody", {}, ...rows.map((row) => make("tr", {}, ...cells(row)))),
    ),
  ];
}

function code(text, language) {
  const block = make("pre", {}, make("code", { textContent: text }));
  if (language) block.dataset.language = language;
  return block;
}

/** Text with `code` in it. */
function marked(text) {
  return text.split("`").map((part, index) => (index % 2 ? make("code", { textContent: part }) : part));
}
