from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("numba", reason="needs Numba: the extra gif-analyzer[fast]")

from benchmarks import steps
from services.preprocess import decode_gif
from services.preprocess.backend import portable as load_portable

EXAMPLE = Path(__file__).parents[2] / "examples" / "meadow.gif"


def test_every_step_takes_its_time_and_the_clip_is_the_same() -> None:
    gif = EXAMPLE.read_bytes()
    watch = steps.Stopwatch(load_portable())

    seconds = steps.measure(gif, watch)

    assert seconds.keys() == {*steps.STEPS, steps.TWO_THREADS}
    assert all(seconds[step] > 0 for step in ("scan", "decompress", "draw", "crop", "resize"))
    assert (decode_gif(gif, backend=watch).frames == decode_gif(gif).frames).all()


def test_a_row_for_each_step_and_their_sum() -> None:
    all_steps = (*steps.STEPS, steps.TWO_THREADS)
    portable, compiled = (dict.fromkeys(all_steps, milliseconds) for milliseconds in (1.5, 0.5))

    rows = steps.table({"portable": portable, "compiled": compiled}).splitlines()

    assert rows[0] == "| step | portable, ms | compiled, ms |"
    assert len(rows) == 2 + len(steps.STEPS) + 2
    assert rows[-2] == f"| all | {1.5 * len(steps.STEPS):.2f} | {0.5 * len(steps.STEPS):.2f} |"
    assert rows[-1] == "| all, on two threads | 1.50 | 0.50 |"


def test_machines_get_json(capsys: pytest.CaptureFixture[str]) -> None:
    steps.main(rounds=1, count=1, as_json=True)

    assert json.loads(capsys.readouterr().out).keys() == {"portable", "compiled"}
