"""A server with the part of the Hugging Face Hub's API that publishes and downloads files of a model.

Large files go the way that they go at the Hub, by the Xet protocol; hf_xet keeps them in a folder in place of
Xet's servers. Other files come with the commit.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

TOKEN = "hf_a-token-that-may-write-0123"  # of a server that only exists during a test
READ_TOKEN = "hf_a-token-that-may-only-read"
LARGE = ".onnx"  # what the Hub keeps outside of git

Answer = tuple[int, Any, dict[str, str]]  # status, JSON, headers
Tree = dict[str, dict[str, Any]]  # of each file: its bytes as `content`, or `sha256` of one that Xet has


@dataclass
class Repository:
    """One model repository: its commits, newest last, and the index of the commit of each tag."""

    address: str
    visibility: str | None = None
    commits: list[Tree] = field(default_factory=lambda: [{}])
    messages: list[str] = field(default_factory=lambda: ["initial commit"])
    tags: dict[str, int] = field(default_factory=dict)

    def at(self, revision: str) -> Tree:
        if revision == "main":
            return self.commits[-1]
        if revision in self.tags:
            return self.commits[self.tags[revision]]
        return self.commits[[oid(number) for number in range(len(self.commits))].index(revision)]


@dataclass
class Hub:
    """What the server holds, and the requests it received."""

    xet: Path
    repositories: dict[str, Repository] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    failing: dict[str, int] = field(default_factory=dict)  # the status of paths that contain a word
    address: str = ""


def oid(number: int) -> str:
    """The name of a commit."""
    return hashlib.sha1(str(number).encode()).hexdigest()


@contextmanager
def hub_server(folder: Path) -> Iterator[Hub]:
    """Run the server on a free port of 127.0.0.1; large files are kept in the folder."""
    hub = Hub(folder)
    handler = type("Handler", (_Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        hub.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield hub
        finally:
            server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = urlsplit(self.path).path
        self.hub.requests.append(f"{self.command} {path}")
        status, values, headers = self._find(path, body)
        data = json.dumps(values).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Type": "application/json"}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _find(self, path: str, body: bytes) -> Answer:
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if token not in (TOKEN, READ_TOKEN):
            return 401, {"error": "Invalid username or password."}, {}
        for word, status in self.hub.failing.items():
            if word in path:
                return status, {"error": f"failing as told, with {token}"}, {}
        if path == "/api/validate-yaml":
            return self._validate(json.loads(body)["content"])
        if path == "/api/repos/create":
            return self._create(json.loads(body), may_write=token == TOKEN)
        return self._ask_repository(path, body)

    def _ask_repository(self, path: str, body: bytes) -> Answer:
        owner, name, *rest = path.removeprefix("/api/models/").split("/")
        repository = self.hub.repositories.get(f"{owner}/{name}")
        if repository is None:
            return 404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"}
        if rest in ([], ["revision", "main"]):
            return 200, {"id": f"{owner}/{name}", "sha": oid(len(repository.commits) - 1)}, {}
        verb, *revision = rest
        answer = {
            "refs": self._refs,
            "preupload": self._preupload,
            "xet-write-token": self._xet_token,
            "commit": self._commit,
            "tag": self._tag,
            "paths-info": self._paths_info,
        }[verb]
        return answer(repository, body, "".join(revision))

    def _validate(self, content: str) -> Answer:
        front = yaml.safe_load(content.split("---\n")[1]) if content.startswith("---\n") else {}
        licence = front.get("license", "other")
        if licence not in ("apache-2.0", "mit", "other"):
            return 400, {"errors": [{"message": f'"license" must be one of a list, not {licence}'}]}, {}
        return 200, {"errors": [], "warnings": []}, {}

    def _create(self, wanted: dict[str, Any], *, may_write: bool) -> Answer:
        name = f"{wanted['organization']}/{wanted['name']}"
        if not may_write:
            return 403, {"error": "You don't have the rights to create a model"}, {}
        exists = name in self.hub.repositories
        url = {"url": f"{self.hub.address}/{name}"}
        self.hub.repositories.setdefault(name, Repository(url["url"], wanted.get("visibility")))
        return (
            (409, {"error": "You already created this model repo", **url}, {}) if exists else (200, url, {})
        )

    def _refs(self, repository: Repository, *_: object) -> Answer:
        tags = [
            {"name": name, "ref": f"refs/tags/{name}", "targetCommit": oid(number)}
            for name, number in repository.tags.items()
        ]
        return 200, {"branches": [], "tags": tags, "converts": []}, {}

    def _preupload(self, repository: Repository, body: bytes, revision: str) -> Answer:
        there = repository.at(revision)
        files = [
            {
                "path": each["path"],
                "uploadMode": "lfs" if each["path"].endswith(LARGE) else "regular",
                "shouldIgnore": False,
                **({"oid": there[each["path"]]["oid"]} if each["path"] in there else {}),
            }
            for each in json.loads(body)["files"]
        ]
        return 200, {"files": files}, {}

    def _xet_token(self, *_: object) -> Answer:
        until = int(time.time()) + 3600
        values = {"casUrl": f"local://{self.hub.xet}", "accessToken": "of-xet", "exp": until}
        return 200, values, {}

    def _commit(self, repository: Repository, body: bytes, _: str) -> Answer:
        lines = [json.loads(line) for line in body.splitlines()]
        tree = dict(repository.commits[-1])
        for value in (each["value"] for each in lines if each["key"] == "lfsFile"):
            tree[value["path"]] = {"sha256": value["oid"], "oid": value["oid"], "size": value["size"]}
        for value in (each["value"] for each in lines if each["key"] == "file"):
            content = base64.b64decode(value["content"])
            blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()  # as git names it
            tree[value["path"]] = {"content": content, "oid": blob, "size": len(content)}
        repository.commits.append(tree)
        repository.messages.append(lines[0]["value"]["summary"])
        made = oid(len(repository.commits) - 1)
        return 200, {"commitUrl": f"{repository.address}/commit/{made}", "commitOid": made}, {}

    def _tag(self, repository: Repository, body: bytes, revision: str) -> Answer:
        name = json.loads(body)["tag"]
        if name in repository.tags:
            return 409, {"error": "Tag reference exists already"}, {}
        repository.tags[name] = [oid(number) for number in range(len(repository.commits))].index(revision)
        return 200, {}, {}

    def _paths_info(self, repository: Repository, body: bytes, revision: str) -> Answer:
        asked = parse_qs(body.decode())["paths"]
        tree = repository.at(revision)
        return 200, [_info(path, tree[path]) for path in asked if path in tree], {}


def _info(path: str, entry: dict[str, Any]) -> dict[str, Any]:
    info = {"type": "file", "path": path, "size": entry["size"], "oid": entry["oid"]}
    if "sha256" in entry:
        info["lfs"] = {"oid": entry["sha256"], "size": entry["size"], "pointerSize": 132}
    return info
