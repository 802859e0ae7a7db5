"""The OpenAPI document of the gateway: writes it, and finds what in a new one breaks clients of an old one.

    python -m tests.support.openapi docs/openapi.json              # writes the document
    python -m tests.support.openapi docs/openapi.json --against released.json

The second exits with 1 if the document breaks clients of the other, with one line for each reason. What
breaks them is described in docs/contributing.md.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway.pipeline import local
from gateway.rest.app import create_app
from tests.support.paths import ROOT
from tests.support.serving import no_fetch

FILE = ROOT / "docs/openapi.json"
# Limits of a value, and whether a higher one refuses values that were accepted before.
LIMITS = {
    **{"minimum": True, "minLength": True, "minItems": True},
    **{"maximum": False, "maxLength": False, "maxItems": False},
}

Json = dict[str, Any]


def make_document() -> Json:
    """The document of a gateway with default settings."""
    return create_app(local(), no_fetch).openapi()


def write(document: Json) -> str:
    """A document as it is committed."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def breaks(old: Json, new: Json) -> list[str]:
    """Why clients of the old document fail with a server of the new one; empty if they do not."""
    return list(_Comparison(old, new).run())


class _Comparison:
    def __init__(self, old: Json, new: Json) -> None:
        self._old, self._new = old, new

    def run(self) -> Iterator[str]:
        for path, operations in self._old["paths"].items():
            for method, before in operations.items():
                name = f"{method.upper()} {path}"
                after = self._new["paths"].get(path, {}).get(method)
                if after is None:
                    yield f"{name} is gone"
                else:
                    yield from self._operation(name, before, after)

    def _operation(self, name: str, old: Json, new: Json) -> Iterator[str]:
        if old["operationId"] != new["operationId"]:  # generated clients name their functions after it
            yield f"{name} has another operationId: {new['operationId']}, not {old['operationId']}"
        if {} in old.get("security", [{}]) and {} not in new.get("security", [{}]):
            yield f"{name} requires a key"
        yield from self._parameters(name, _by_name(old), _by_name(new))
        body, now = old.get("requestBody"), new.get("requestBody")
        if body and now:
            yield from self._content(f"{name} body", body["content"], now["content"], sent=True)
        elif body:
            yield f"{name} takes no body"
        elif now and now.get("required"):
            yield f"{name} requires a body"
        for status, answer in old["responses"].items():
            if status >= "400":
                continue  # clients have to expect any error
            if status not in new["responses"]:
                yield f"{name} no longer answers {status}"
                continue
            after = new["responses"][status]
            yield from self._content(f"{name} {status}", answer.get("content", {}), after.get("content", {}))
            for header in answer.get("headers", {}).keys() - after.get("headers", {}).keys():
                yield f"{name} {status} has no header {header}"

    def _parameters(self, name: str, old: Json, new: Json) -> Iterator[str]:
        for key, parameter in old.items():
            if key not in new:
                yield f"{name} has no parameter {key}"
                continue
            if new[key].get("required") and not parameter.get("required"):
                yield f"{name} requires {key}"
            yield from self._schema(f"{name} {key}", parameter["schema"], new[key]["schema"], sent=True)
        for key, parameter in new.items():
            if key not in old and parameter.get("required"):
                yield f"{name} requires {key}"

    def _content(self, name: str, old: Json, new: Json, *, sent: bool = False) -> Iterator[str]:
        for media_type, content in old.items():
            if media_type not in new:
                yield f"{name} has no {media_type}"
            else:
                yield from self._schema(
                    name, content.get("schema", {}), new[media_type].get("schema", {}), sent
                )

    def _schema(self, name: str, old: Json, new: Json, sent: bool) -> Iterator[str]:
        """Compare a value that clients send, or else one that they receive."""
        old, new = _resolve(self._old, old), _resolve(self._new, new)
        for key in ("type", "format", "contentEncoding", "contentMediaType", "pattern", "default"):
            if old.get(key) != new.get(key):
                yield f"{name} has another {key}: {new.get(key)}, not {old.get(key)}"
        yield from self._values(name, old, new, sent)
        fields, now = old.get("properties", {}), new.get("properties", {})
        for key, field in fields.items():
            if key not in now:
                yield f"{name}.{key} is gone"
            else:
                yield from self._schema(f"{name}.{key}", field, now[key], sent)
        required, requires = set(old.get("required", [])), set(new.get("required", []))
        for key in sorted(requires - required if sent else required - requires):
            if sent or key in now:
                yield f"{name}.{key} is {'required' if sent else 'not always there'}"
        if "items" in old and "items" in new:
            yield from self._schema(f"{name}[]", old["items"], new["items"], sent)
        choices, choice = old.get("anyOf", []), new.get("anyOf", [])
        if len(choices) != len(choice):
            yield f"{name} has other types"
        for before, after in zip(choices, choice, strict=False):
            yield from self._schema(name, before, after, sent)

    def _values(self, name: str, old: Json, new: Json, sent: bool) -> Iterator[str]:
        if "enum" in old or "enum" in new:
            given, taken = (old, new) if sent else (new, old)  # what is written, and what the reader knows
            for value in given.get("enum", ["any value"]):
                if "enum" in taken and value not in taken["enum"]:
                    yield f"{name} may {'not be' if sent else 'be'} {value}"
        for key, low in LIMITS.items():
            before, after = old.get(key), new.get(key)
            if before == after:
                continue
            inside, outside = (after, before) if sent else (before, after)  # the reader's limit, the writer's
            if inside is not None and (outside is None or (inside > outside) == low):
                yield f"{name} has another {key}: {after}, not {before}"


def _by_name(operation: Json) -> Json:
    return {parameter["name"]: parameter for parameter in operation.get("parameters", [])}


def _resolve(document: Json, schema: Json) -> Json:
    while "$ref" in schema:
        found = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        schema = found
    return schema


def main(arguments: list[str]) -> int:
    """Run the command of the module's description; returns the exit code."""
    match arguments:
        case [file]:
            Path(file).write_text(write(make_document()), "utf-8")
            return 0
        case [file, "--against", released]:
            old, new = (json.loads(Path(each).read_text("utf-8")) for each in (released, file))
            found = breaks(old, new)
            sys.stdout.writelines(f"{line}\n" for line in found)
            return 1 if found else 0
    sys.stderr.write(f"{__doc__}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
