"""docs/troubleshooting.md quotes the errors that the programs print."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.errors import catalogue
from tests.support.paths import ROOT
from tests.support.programs import call

TEXT = (ROOT / "docs/troubleshooting.md").read_text("utf-8")
QUOTED = re.findall(r"^\| `(.+?)` (?:\(`([A-Z_]+)`.*?\) )?\|", TEXT, re.MULTILINE)


def test_every_reason_it_names_exists() -> None:
    named = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", TEXT))
    reasons = {name for name in named if not name.startswith("GIF_ANALYZER_")}

    assert len(reasons) > 10
    assert reasons <= set(catalogue())


@pytest.mark.parametrize(
    ("reason", "content", "variables"),
    [
        ("NOT_A_GIF", b"<!doctype html>", {}),
        ("CORRUPT_GIF", b"GIF89a", {}),
        ("GIF_TOO_LARGE", b"GIF89a", {"GIF_ANALYZER_MAX_BYTES": "3"}),
        ("UNREADABLE_FILE", None, {}),
        ("UNKNOWN_SETTING", b"GIF89a", {"GIF_ANALYZER_MAX_FRAME": "3"}),
        ("INVALID_SETTING", b"GIF89a", {"GIF_ANALYZER_MAX_FRAMES": "many"}),
        ("MODEL_ERROR", b"GIF89a", {"GIF_ANALYZER_MODEL": "README.md"}),
        ("LIBRARY_ERROR", b"GIF89a", {"GIF_ANALYZER_LIBRARY": "README.md"}),
    ],
)
def test_a_quoted_message_is_printed(
    reason: str, content: bytes | None, variables: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "some.gif"
    if content is not None:
        file.write_bytes(content)
    [message] = [message for message, named in QUOTED if named == reason]

    done = call("gif-analyzer", "identify", str(file), **variables)

    assert done.returncode != 0
    assert re.search(re.escape(message).replace("…", ".*"), done.stderr), done.stderr
