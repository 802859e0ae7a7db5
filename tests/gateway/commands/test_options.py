from __future__ import annotations

import subprocess
import sys

import pytest

from gateway.commands.options import open_pipeline
from gateway.settings import Settings
from services.preprocess.backend import fastest
from tests.support.paths import ROOT

EXAMPLE = ROOT / "examples" / "meadow.gif"


@pytest.mark.parametrize(("gifs", "backend"), [(1, "portable"), (99, "portable"), (100, None), (None, None)])
def test_compiled_loops_are_loaded_for_many_gifs(gifs: int | None, backend: str | None) -> None:
    pipeline = open_pipeline(Settings(), None, None, gifs=gifs)

    assert pipeline.decode.keywords["backend"].name == (backend or fastest().name)  # type: ignore[attr-defined]


def test_naming_one_gif_loads_no_compiler() -> None:
    program = (
        "import sys\n"
        "from gateway.cli import app\n"
        f"app(['identify', {str(EXAMPLE)!r}], standalone_mode=False)\n"
        "assert not {'numba', 'llvmlite'} & set(sys.modules)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 0, done.stderr
