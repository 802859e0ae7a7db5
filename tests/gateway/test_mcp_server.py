"""`gif-analyzer mcp` as a client starts it: a process, asked over stdio by the client of the official SDK."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from tests.support import programs
from tests.support.library import add_gifs

SaveGif = Callable[..., Path]


def with_client(
    ask: Callable[[Client], Awaitable[Any]], log: Path, *words: str | Path, **variables: str
) -> tuple[Any, list[dict[str, Any]]]:
    """Start the server, ask it, and end it; returns what `ask` returns, and the lines of the server's log."""
    python, *rest = programs.command("gif-analyzer", "mcp", *words)
    server = StdioServerParameters(command=python, args=rest, env=programs.environ(**variables))

    async def run() -> Any:
        with log.open("w") as errors:
            async with Client(stdio_client(server, errors)) as client:
                return await ask(client)

    found = asyncio.run(run())
    return found, [json.loads(line) for line in log.read_text().splitlines()]


def reason_of(result: Any) -> str:
    """The reason of a tool error; "" of an answer. The text must say the same as the structured content."""
    [content] = result.content
    assert json.loads(content.text) == result.structured_content
    assert result.is_error == ("reason" in result.structured_content)
    return str(result.structured_content.get("reason", ""))


@pytest.fixture
def folder(tmp_path: Path, save_gif: SaveGif) -> Path:
    """A folder with a GIF, and traps: links that lead out of it, and a pipe."""
    import os

    outside = save_gif("outside.gif", "red", "blue")
    folder = tmp_path / "allowed"
    folder.mkdir()
    (folder / "sub").mkdir()
    (folder / "sub/some.gif").write_bytes(outside.read_bytes())
    (folder / "link.gif").symlink_to(outside)
    (folder / "loop.gif").symlink_to(folder / "loop.gif")
    (folder / "text.gif").write_text("hello")
    os.mkfifo(folder / "pipe.gif")
    return folder


def test_it_answers_by_file_and_by_bytes_and_lists_its_shows(
    tmp_path: Path, folder: Path, model_path: Path
) -> None:
    gif = base64.b64encode((folder / "sub/some.gif").read_bytes()).decode()

    async def ask(client: Client) -> Any:
        tools = (await client.list_tools()).tools
        calls = (
            ("identify", {"file": "sub/some.gif"}),
            ("identify", {"file": str(folder / "sub/some.gif"), "top_k": 1}),
            ("identify", {"base64": gif}),
            ("shows", {}),
        )
        return tools, [await client.call_tool(name, given) for name, given in calls]

    (tools, results), log = with_client(ask, tmp_path / "log", "--files", folder, "--model", model_path)

    assert [tool.name for tool in tools] == ["identify", "shows"]  # no library, no matches
    assert all(tool.annotations.read_only_hint and tool.description for tool in tools)
    assert [reason_of(result) for result in results] == ["", "", "", ""]
    by_file, best, by_bytes, shows = (result.structured_content for result in results)
    assert by_file["source"] == "sub/some.gif"
    assert by_file["format"] == "gif"
    assert len(best["shows"]) == 1
    assert best["shows"] == by_file["shows"][:1] == by_bytes["shows"][:1]
    assert best["verdict"]["level"] in ("show", "one_of", "kind", "unknown")
    assert {show["show"] for show in by_file["shows"]} <= set(shows["shows"])
    assert shows["library"] is None
    assert [(line["tool"], line["reason"]) for line in log if line["message"] == "tool"] == [
        *(("identify", "") for _ in range(3)),
        ("shows", ""),
    ]
    assert "some.gif" not in json.dumps(log)


def test_what_it_refuses_is_a_tool_error_with_its_reason(
    tmp_path: Path, folder: Path, model_path: Path
) -> None:
    large = base64.b64encode(bytes(2_000)).decode()
    given: list[tuple[dict[str, object], str]] = [
        ({}, "INVALID_ARGUMENT"),
        ({"file": "sub/some.gif", "base64": ""}, "INVALID_ARGUMENT"),
        ({"file": "none.gif"}, "UNREADABLE_FILE"),
        ({"file": "../outside.gif"}, "UNREADABLE_FILE"),
        ({"file": str(folder.parent / "outside.gif")}, "UNREADABLE_FILE"),
        ({"file": "link.gif"}, "UNREADABLE_FILE"),
        ({"file": "loop.gif"}, "UNREADABLE_FILE"),
        ({"file": "pipe.gif"}, "UNREADABLE_FILE"),
        ({"file": "sub"}, "UNREADABLE_FILE"),
        ({"file": "-"}, "UNREADABLE_FILE"),
        ({"file": "a\0b"}, "UNREADABLE_FILE"),
        ({"file": "text.gif"}, "NOT_A_GIF"),
        ({"base64": "no base64!"}, "INVALID_ARGUMENT"),
        ({"base64": ""}, "NOT_A_GIF"),
        ({"base64": large}, "GIF_TOO_LARGE"),
        ({"address": "ftp://example.org/a.gif"}, "INVALID_ADDRESS"),
        ({"address": "https://example.org/a.gif"}, "ADDRESS_REFUSED"),
        ({"address": "http://169.254.169.254/latest"}, "ADDRESS_REFUSED"),
    ]

    async def ask(client: Client) -> Any:
        return [await client.call_tool("identify", arguments) for arguments, _ in given]

    results, log = with_client(
        *(ask, tmp_path / "log", "--files", folder, "--model", model_path), GIF_ANALYZER_MAX_BYTES="1500"
    )

    reasons = [reason_of(result) for result in results]
    assert reasons == [reason for _, reason in given]
    assert str(folder) not in json.dumps([result.structured_content["message"] for result in results])
    assert "outside" in results[3].structured_content["message"]
    assert [line["reason"] for line in log if line["message"] == "tool"] == reasons


def test_without_a_folder_it_reads_no_file(tmp_path: Path, folder: Path, model_path: Path) -> None:
    async def ask(client: Client) -> Any:
        return await client.call_tool("identify", {"file": str(folder / "sub/some.gif")})

    result, _ = with_client(ask, tmp_path / "log", "--model", model_path)

    assert reason_of(result) == "UNREADABLE_FILE"
    assert "--files" in result.structured_content["message"]


def test_with_a_library_it_finds_the_same_footage(tmp_path: Path, folder: Path, model_path: Path) -> None:
    gif = folder / "sub/some.gif"
    library = add_gifs(tmp_path / "my.library", model_path, {"Red Show": [gif]})

    async def ask(client: Client) -> Any:
        found = await client.call_tool("matches", {"file": "sub/some.gif"})
        return found, await client.call_tool("shows", {})

    (found, shows), _ = with_client(
        ask, tmp_path / "log", "--files", folder, "--model", model_path, "--library", library
    )

    assert reason_of(found) == ""
    assert found.structured_content["matches"][0]["name"] == "some.gif"
    assert found.structured_content["neighbours"][0]["show"] == "Red Show"
    assert "Red Show" in shows.structured_content["shows"]
    assert shows.structured_content["library"]["clip_count"] == 1


def test_a_missing_folder_is_a_usage_error(tmp_path: Path) -> None:
    done = programs.call("gif-analyzer", "mcp", "--files", tmp_path / "none")

    assert done.returncode == 2
    assert "--files" in done.stderr
