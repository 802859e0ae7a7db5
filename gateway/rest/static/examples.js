// Examples for one operation of the API: one for each form of its body, in each language.

const FILE = "some.gif";
const PICTURE = "thumbnail.jpg";
const FORMS = { "multipart/form-data": "a form", "image/gif": "the file as it is", "application/json": "an address" };

/** Write the examples of an operation: [{title, texts: {curl, Python, JavaScript}}]. */
export function examples({ name, path, parameters = [], requestBody, responses, security = [] }, server) {
  const url = new URL(path.slice(1), server);
  for (const { name: key, required, schema } of parameters) if (required) url.searchParams.set(key, schema.examples[0]);
  const method = name.split(" ")[0];
  const needsKey = security.length > 0 && security.every((one) => Object.keys(one).length > 0);
  const forms = requestBody?.required ? Object.entries(requestBody.content).filter(([form]) => form in FORMS) : [[null, {}]];
  return forms.map(([form, { example }]) => {
    const picture = "image/jpeg" in (responses["200"]?.content ?? {});
    const asked = { method, url: url.href, form, json: example, picture, headers: needsKey ? { Authorization: "Bearer KEY" } : {} };
    if (form === "image/gif") asked.headers["Content-Type"] = form;
    return {
      title: form ? `Ask with ${FORMS[form] ?? form}` : "Ask",
      texts: { curl: curl(asked), Python: python(asked), JavaScript: javascript(asked) },
    };
  });
}

function curl({ method, url, form, json, picture, headers }) {
  const options = Object.entries(headers).map(([name, value]) => `-H '${name}: ${value}'`);
  if (form === "multipart/form-data") options.push(`-F file=@${FILE}`);
  else if (json) options.push(`--json '${JSON.stringify(json)}'`);
  else if (form) options.push(`--data-binary @${FILE}`);
  if (method === "DELETE" || (method === "POST" && !form)) options.push(`-X ${method}`);
  if (picture) options.push(`-o ${PICTURE}`);
  return ["curl", ...options, `'${url}'`].join(" ");
}

function python({ method, url, form, json, picture, headers }) {
  const given = [JSON.stringify(url)];
  if (form === "multipart/form-data") given.push('files={"file": gif}');
  else if (json) given.push(`json=${JSON.stringify(json)}`);
  else if (form) given.push("content=gif.read()");
  if (Object.keys(headers).length > 0) given.push(`headers=${JSON.stringify(headers)}`);
  const ask = `answer = httpx.${method.toLowerCase()}(${[...given, "timeout=60"].join(", ")})`;
  const asked = form && !json ? `with open("${FILE}", "rb") as gif:\n    ${ask}` : ask;
  const use = picture ? `with open("${PICTURE}", "wb") as file:\n    file.write(answer.content)` : "print(answer.json())";
  return `import httpx\n\n${asked}\nanswer.raise_for_status()\n${use}`;
}

function javascript({ method, url, form, json, picture, headers }) {
  const lines = [];
  const options = method === "GET" ? {} : { method: `"${method}"` };
  const sent = json ? { ...headers, "Content-Type": "application/json" } : headers;
  if (form && !json) lines.push('const [file] = document.querySelector("input[type=file]").files;');
  if (Object.keys(sent).length > 0) options.headers = JSON.stringify(sent);
  if (form === "multipart/form-data") {
    lines.push("const body = new FormData();", 'body.append("file", file);');
    options.body = "body";
  } else if (json) options.body = `JSON.stringify(${JSON.stringify(json)})`;
  else if (form) options.body = "file";
  const pairs = Object.entries(options).map(([name, value]) => `  ${name}: ${value},\n`).join("");
  lines.push(`const answer = await fetch("${url}"${pairs ? `, {\n${pairs}}` : ""});`);
  lines.push("if (!answer.ok) throw new Error((await answer.json()).message);", `console.log(await answer.${picture ? "blob" : "json"}());`);
  return lines.join("\n");
}
