"""Tools for agents by the Model Context Protocol: a picture or its address goes in, the answer comes out.

The arguments come from a language model, which may follow instructions that it has read somewhere. So files
are read below one folder only, addresses are fetched by the rules of the REST gateway, and no tool changes
anything.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import dataclasses
import json
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

from mcp.server import MCPServer
from mcp_types import CallToolResult, TextContent, ToolAnnotations
from pydantic import Field

from gateway.answer import prediction_json
from gateway.fetch.fetcher import Fetcher
from gateway.files import read_gif
from gateway.pipeline import Pipeline
from gateway.settings import Settings
from services.errors import AnalyzerError, GifTooLarge, InternalError, InvalidArgument, UnreadableFile
from services.inference import Prediction
from services.workers import Workers

INSTRUCTIONS = (
    "Tells which TV show a GIF or picture came from. Trust `verdict`, not the ranking: a ranking always has a"
    " first place, also for a picture of no show. If a tool fails, `reason` says why,"
    " and `message` explains it."
)
TOP_K = 5

File = Annotated[
    str | None, Field(description="Path of a file, relative to the folder that this server may read.")
]
Address = Annotated[
    str | None, Field(description="Address of the GIF, or of its page at giphy.com or tenor.com.")
]
Base64 = Annotated[str | None, Field(description="The bytes of the file in base64.")]

_log = logging.getLogger(__name__)


class Tools:
    """What an agent can call. Each tool takes exactly one of `file`, `address` and `base64`.

    Args:
        pipeline: both steps, wherever they compute.
        fetch: address -> bytes; raises `FetchError` and `GifTooLarge`.
        settings: limits; those of REST hold here too.
        folder: below which files may be read; None for no files.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        fetch: Callable[[str], Awaitable[bytes]],
        settings: Settings,
        *,
        folder: Path | None = None,
    ) -> None:
        self._pipeline, self._fetch = pipeline, fetch
        self._max_bytes = settings.budget.max_bytes
        self._folder = None if folder is None else folder.resolve()
        self._workers = Workers(settings.rest.workers, settings.rest.in_flight)
        self._reading = asyncio.Semaphore(settings.rest.fetches)

    async def identify(
        self,
        file: File = None,
        address: Address = None,
        base64: Base64 = None,
        top_k: Annotated[int, Field(ge=1, le=1000, description="How many shows to rank.")] = TOP_K,
    ) -> CallToolResult:
        """Name the TV show of a GIF, WebP, APNG, PNG or JPEG. Give one of file, address and base64."""

        async def answer() -> dict[str, Any]:
            prediction = await self._identify(file, address, base64, top_k)
            said = prediction_json(file or address or "", prediction)
            return {name: said[name] for name in ("source", "format", "verdict", "known", "shows", "model")}

        return await _answered("identify", answer)

    async def matches(
        self, file: File = None, address: Address = None, base64: Base64 = None
    ) -> CallToolResult:
        """Find the same footage, and what looks alike, in a library. Give one of file, address and base64."""

        async def answer() -> dict[str, Any]:
            said = prediction_json(file or address or "", await self._identify(file, address, base64, TOP_K))
            return {name: said[name] for name in ("source", "verdict", "matches", "neighbours")}

        return await _answered("matches", answer)

    async def shows(self) -> CallToolResult:
        """List the shows that can be named, and say which model and which library of known clips answer."""

        async def answer() -> dict[str, Any]:
            found = await asyncio.to_thread(self._pipeline.describe)
            library = found.library
            return {
                "shows": list(found.named),
                "model": {"name": found.model.name, "version": found.model.version},
                "library": None if library is None else dataclasses.asdict(library),
            }

        return await _answered("shows", answer)

    async def _identify(
        self, file: str | None, address: str | None, base64: str | None, top_k: int
    ) -> Prediction:
        given = sum(each is not None for each in (file, address, base64))
        if given != 1:
            raise InvalidArgument("source", expected="one of file, address and base64", found=f"{given}")
        async with self._reading:
            if file is not None:
                gif = await asyncio.to_thread(self._read_file, file)
            elif address is not None:
                gif = await self._fetch(address)
            else:
                gif = _decode(base64 or "", self._max_bytes)
        return await self._workers.run(self._pipeline.identify, gif, top_k)

    def _read_file(self, name: str) -> bytes:
        """Read a file of the folder.

        Raises:
            UnreadableFile: it is elsewhere, also by a link, or cannot be read.
            GifTooLarge: it is longer than the limit.
        """
        if self._folder is None:
            raise UnreadableFile(name, "this server reads no files; --files names a folder that it may read")
        try:
            path = (self._folder / name).resolve()
            if not path.is_relative_to(self._folder):
                raise UnreadableFile(name, "it is outside the folder that this server may read")
            if path.exists() and not path.is_file():  # reading a pipe could wait without end
                raise UnreadableFile(name, "it is not a file")
            return read_gif(str(path), max_bytes=self._max_bytes)
        except UnreadableFile as error:
            raise UnreadableFile(name, error.details["why"]) from error
        except (OSError, RuntimeError, ValueError) as error:  # a loop of links, or a null character
            raise UnreadableFile(name, "it has no valid name") from error


def build_server(
    pipeline: Pipeline, settings: Settings, *, folder: Path | None = None, version: str = ""
) -> MCPServer[Any]:
    """Make the server.

    Args:
        pipeline: both steps, wherever they compute.
        settings: limits, and what may be fetched.
        folder: below which files may be read; None for no files.
        version: of this program.
    """
    tools = Tools(pipeline, Fetcher(settings.fetch), settings, folder=folder)
    server = MCPServer[Any]("gif-analyzer", instructions=INSTRUCTIONS, version=version)
    for tool, open_world in ((tools.identify, True), (tools.matches, True), (tools.shows, False)):
        if tool == tools.matches and settings.library is None:
            continue
        hints = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=open_world)
        server.add_tool(tool, annotations=hints)
    return server


async def _answered(tool: str, answer: Callable[[], Awaitable[dict[str, Any]]]) -> CallToolResult:
    """Run a tool: its answer or its error as JSON, and a line in the log without what the agent sent."""
    start, reason = time.perf_counter(), ""
    try:
        said = await answer()
    except AnalyzerError as error:
        reason = error.reason
        said = {"reason": reason, "message": error.message, "details": error.details}
    except Exception:
        _log.exception("a tool failed", extra={"tool": tool})
        fault = InternalError()
        reason = fault.reason
        said = {"reason": reason, "message": fault.message, "details": fault.details}
    duration_ms = round((time.perf_counter() - start) * 1000, 3)
    _log.info("tool", extra={"tool": tool, "reason": reason, "duration_ms": duration_ms})
    text = json.dumps(said, allow_nan=False, ensure_ascii=False)
    return CallToolResult(
        content=[TextContent(type="text", text=text)], structured_content=said, is_error=bool(reason)
    )


def _decode(text: str, max_bytes: int) -> bytes:
    """Decode base64.

    Raises:
        GifTooLarge: it holds more than `max_bytes`.
        InvalidArgument: it is not base64.
    """
    found = len(text) // 4 * 3  # bytes, and at most two too many
    if found > max_bytes + 2:
        raise GifTooLarge("length", allowed=max_bytes, found=max_bytes + 1, unit="bytes", at_least=True)
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidArgument("base64", expected="base64 without line breaks", found="no base64") from error
