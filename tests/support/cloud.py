"""AWS on loopback: moto's server answers the APIs, and Lambda's emulator runs the bundles that were uploaded.

moto itself runs no code. Here its Invoke unpacks the zip of a version and passes the event to it in AWS
Lambda's Runtime Interface Emulator. `gif-deliver`, Terraform and boto3 only need AWS_ENDPOINT_URL.
"""

from __future__ import annotations

import io
import json
import random
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3
import pytest
from moto.awslambda.exceptions import UnknownPolicyException
from moto.awslambda.models import LambdaBackend, lambda_backends
from moto.awslambda.responses import LambdaResponse
from moto.budgets.responses import BudgetsResponse
from moto.core.responses import BaseResponse
from moto.moto_api._internal.models import moto_api_backend
from moto.server import ThreadedMotoServer

from benchmarks.harness.emulator import Emulator
from delivery.request import Request, from_result, to_event

REGION = "eu-central-1"
ACCOUNT = "123456789012"
THIS_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


class Cloud:
    """AWS with one account and one region.

    Attributes:
        environment: variables with which programs use it.
        client: boto3's client of Lambda.
        invoked: version and path of each request to a function, in order.
        called: each action, as policies name it, e.g. lambda:InvokeFunction, in order.
    """

    def __init__(self, folder: Path, endpoint: str, *, python: str = THIS_PYTHON) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.endpoint = endpoint
        self.environment = {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        self.invoked: list[tuple[str, str]] = []
        self.called: list[str] = []
        self.client = self.connect("lambda")
        self._folder = folder
        self._python = python
        self._emulators: dict[str, Emulator] = {}
        self._lock = threading.Lock()
        self._dice = random.Random(0)

    def connect(self, service: str) -> Any:
        """A client of boto3."""
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        return boto3.client(service, endpoint_url=self.endpoint, region_name=REGION, **keys)

    def uploaded(self, function: str, qualifier: str) -> bytes:
        """The zip of a version or of an alias, as it was uploaded."""
        backend = lambda_backends[ACCOUNT][REGION]
        code: bytes = backend.get_function(function, self._resolve(backend, function, qualifier)).code_bytes
        return code

    def live(self, function: str) -> dict[str, Any]:
        """The alias, as AWS describes it."""
        found: dict[str, Any] = self.client.get_alias(FunctionName=function, Name="live")
        return found

    def stop(self) -> None:
        """Stop every running function."""
        for emulator in self._emulators.values():
            emulator.stop()

    def invoke(
        self, backend: LambdaBackend, name: str, qualifier: str | None, body: Any
    ) -> tuple[int, dict[str, str], bytes]:
        """Do what moto's Invoke does not; return status, headers and payload."""
        version = self._resolve(backend, name, qualifier or "$LATEST")
        event = json.loads(body or "{}")
        self.invoked.append((version, event.get("rawPath", "")))
        result = self._emulator(backend, name, version).invoke(event)
        headers = {"content-type": "application/json", "x-amz-executed-version": version}
        if isinstance(result, dict) and "errorType" in result:
            headers["x-amz-function-error"] = "Unhandled"
        return 200, headers, json.dumps(result).encode()

    def _resolve(self, backend: LambdaBackend, name: str, qualifier: str) -> str:
        """The version that answers; a random one for an alias with weights."""
        if qualifier.isdigit() or qualifier == "$LATEST":
            return qualifier
        alias = backend.get_alias(qualifier, name)
        weights: Mapping[str, float] = (alias.routing_config or {}).get("AdditionalVersionWeights") or {}  # type: ignore[attr-defined]
        draw = self._dice.random()
        for version, weight in weights.items():
            if draw < weight:
                return version
            draw -= weight
        return str(alias.function_version)

    def _emulator(self, backend: LambdaBackend, name: str, version: str) -> Emulator:
        """The running function of a version, started by its first request, as in Lambda."""
        function = backend.get_function(name, version)
        key = f"{name}-{version}-{function.code_digest.removeprefix('sha256:')[:12]}"
        with self._lock:
            if key not in self._emulators:
                folder = self._folder / key
                with zipfile.ZipFile(io.BytesIO(function.code_bytes)) as bundle:
                    bundle.extractall(folder)
                self._emulators[key] = Emulator(
                    folder,
                    python=self._python,
                    handler=function.handler,
                    environment={**function.environment_vars, "AWS_LAMBDA_FUNCTION_VERSION": version},
                )
            return self._emulators[key]

    @contextmanager
    def address(self, function: str, alias: str = "live") -> Iterator[str]:
        """Serve an alias over HTTP, as a Function URL does."""
        client = self.client

        class FunctionUrl(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                parts = urlsplit(self.path)
                length = int(self.headers.get("content-length") or 0)
                request = Request(
                    self.command,
                    parts.path,
                    parts.query,
                    {name.lower(): value for name, value in self.headers.items()},
                    self.rfile.read(length),
                )
                called = client.invoke(
                    FunctionName=function, Qualifier=alias, Payload=json.dumps(to_event(request)).encode()
                )
                if "FunctionError" in called:
                    self._send(502, {"content-type": "text/plain"}, b"Internal Server Error")
                    return
                response = from_result(json.loads(called["Payload"].read()))
                self._send(response.status, response.headers, response.body)

            def _send(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    if name not in ("content-length", "transfer-encoding", "connection"):
                        self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_POST = do_HEAD = do_OPTIONS = do_PUT = do_DELETE = answer  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), FunctionUrl)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            server.server_close()


@contextmanager
def cloud_on_loopback(folder: Path, *, python: str = THIS_PYTHON) -> Iterator[Cloud]:
    """Start AWS on loopback, empty; functions are unpacked in the folder, which need not exist."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    cloud = Cloud(folder, f"http://{host}:{port}", python=python)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(LambdaResponse, "invoke", lambda response: _invoke(cloud, response))
            patch.setattr(BaseResponse, "call_action", _recorded(cloud))
            _mend(patch)
            cloud.connect("sts")  # fails here if the server is not up
            yield cloud
    finally:
        cloud.stop()
        server.stop()
        moto_api_backend.reset()


def _invoke(cloud: Cloud, response: LambdaResponse) -> tuple[int, dict[str, str], bytes]:
    # moto reads the qualifier under a name that no client sends, and would always run $LATEST.
    [qualifier] = response.querystring.get("Qualifier", [None])
    name = unquote(response.path.rsplit("/", 2)[-2])
    return cloud.invoke(response.backend, name, qualifier, response.body)


def _recorded(cloud: Cloud) -> Callable[[BaseResponse], Any]:
    call = BaseResponse.call_action

    def call_action(response: BaseResponse) -> Any:
        action = response._get_action()
        cloud.called.append(
            f"{response.boto3_service_name}:{'InvokeFunction' if action == 'Invoke' else action}"
        )
        return call(response)

    return call_action


def _mend(patch: pytest.MonkeyPatch) -> None:
    """Correct moto where Terraform relies on what AWS does."""
    # Its RemovePermission ignores the qualifier and looks for the statement at $LATEST only.
    original = LambdaBackend.remove_permission

    def remove_permission(backend: LambdaBackend, name: str, sid: str, revision: str = "") -> None:
        try:
            original(backend, name, sid, revision)
        except UnknownPolicyException:
            for function in backend.list_versions_by_function(name.partition(":")[0]):
                statements = function.policy.statements
                statements[:] = [one for one in statements if one.get("Sid") != sid]

    patch.setattr(LambdaBackend, "remove_permission", remove_permission)
    # Its budgets have no tags, which Terraform requests again and again.
    tags: list[dict[str, str]] = []
    create = BudgetsResponse.create_budget

    def create_budget(response: BudgetsResponse) -> str:
        tags[:] = response._get_param("ResourceTags", [])
        return create(response)

    def list_tags_for_resource(response: BudgetsResponse) -> str:
        return json.dumps({"ResourceTags": tags})

    patch.setattr(BudgetsResponse, "create_budget", create_budget)
    patch.setattr(BudgetsResponse, "list_tags_for_resource", list_tags_for_resource, raising=False)


def zip_of(files: Mapping[str, str]) -> bytes:
    """A zip with these files, the same bytes for the same files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, text in files.items():
            bundle.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), text)
    return buffer.getvalue()


SMALL_FUNCTION = '''
"""Answers as GIF Analyzer does, in a millisecond."""
import base64, json

MODEL, WRONG = {model!r}, {wrong!r}
if WRONG == "crash":
    raise RuntimeError("the model is broken")

def answer(status, values):
    kind = "application/json" if status < 400 else "application/problem+json"
    return {{"statusCode": status, "headers": {{"content-type": kind}}, "body": json.dumps(values)}}

def handler(event, context):
    path, method = event["rawPath"], event["requestContext"]["http"]["method"]
    if path == "/health/ready":
        return answer(503 if WRONG == "not ready" else 200, {{"status": "ready"}})
    if (method, path) != ("POST", "/v1/identify"):
        return answer(404, {{"reason": "NOT_FOUND"}})
    body = base64.b64decode(event["body"])
    if not body.startswith(b"GIF8"):
        return answer(500 if WRONG == "errors" else 422, {{"reason": "NOT_A_GIF", "status": 422}})
    probabilities = [2.0, 3.0] if WRONG == "probabilities" else [0.75, 0.25]
    return answer(200, {{
        "source": "",
        "shows": [
            {{"show": "Big Buck Bunny", "probability": probabilities[0]}},
            {{"show": "Another", "probability": probabilities[1]}},
        ],
        "known": True,
        "votes": [{{"offset_ms": 0, "show": "Big Buck Bunny", "probability": 0.75}}],
        "model": {{"name": "small", "version": MODEL}},
    }})
'''


def small_bundle(path: Path, *, model: str, wrong: str = "") -> Path:
    """Write the zip of a small function that answers as the real one does, unless `wrong` says how not."""
    source = SMALL_FUNCTION.format(model=model, wrong=wrong)
    path.write_bytes(zip_of({"gateway/__init__.py": "", "gateway/lambda_handler.py": source}))
    return path
