from __future__ import annotations

from typing import Any

import pytest

import gateway.pipeline
from gateway.commands.options import open_pipeline
from gateway.settings import Settings
from services.clip import Clip
from services.preprocess import decode_gif
from services.preprocess.backend import Backend, fastest
from tests.support.paths import ROOT
from tests.support.programs import python

EXAMPLE = ROOT / "examples" / "meadow.gif"


@pytest.mark.parametrize(("gifs", "backend"), [(1, "portable"), (99, "portable"), (100, None)])
def test_many_gifs_load_compiled_loops(
    monkeypatch: pytest.MonkeyPatch, gifs: int, backend: str | None
) -> None:
    used = []

    def watch(gif: bytes, *, backend: Backend, **options: Any) -> Clip:
        used.append(backend.name)
        return decode_gif(gif, backend=backend, **options)

    monkeypatch.setattr(gateway.pipeline, "decode_gif", watch)
    open_pipeline(Settings(), None, None, gifs=gifs).identify(EXAMPLE.read_bytes())

    assert used == [backend or fastest().name]


def test_naming_one_gif_loads_no_compiler() -> None:
    program = (
        "import sys\n"
        "from gateway.cli import app\n"
        f"app(['identify', {str(EXAMPLE)!r}], standalone_mode=False)\n"
        "assert not {'numba', 'llvmlite'} & set(sys.modules)\n"
    )

    done = python(program)

    assert done.returncode == 0, done.stderr
