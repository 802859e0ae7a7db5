from __future__ import annotations

import json

import pytest

pytest.importorskip(
    "numba", reason="This test needs Numba, which is not installed: the extra [fast] brings it."
)

from benchmarks import steps
from services.preprocess import decode_gif
from services.preprocess.backend import portable as load_portable
from tests.support.paths import ROOT

EXAMPLE = ROOT / "examples" / "meadow.gif"


def test_every_step_takes_its_time_and_the_clip_is_the_same() -> None:
    gif = EXAMPLE.read_bytes()
    watch = steps.Stopwatch(load_portable())

    seconds = steps.measure(gif, steps.pictures(gif), watch)

    assert seconds.keys() == {*steps.STEPS, steps.TWO_THREADS}
    assert all(seconds[step] > 0 for step in ("scan", "decompress", "draw", "crop", "resize"))
    assert (decode_gif(gif, backend=watch).frames == decode_gif(gif).frames).all()


def test_a_row_for_each_step_their_sum_and_what_it_gains() -> None:
    rest = {steps.TWO_THREADS: 3.0, steps.NAIVE: 21.0, steps.GAIN: 2.0, steps.LIMIT: 14.0}
    portable, compiled = (dict.fromkeys(steps.STEPS, milliseconds) | rest for milliseconds in (1.5, 0.5))

    rows = steps.table({"portable": portable, "compiled": compiled}).splitlines()

    assert rows[0] == "| step | portable, ms | compiled, ms |"
    assert len(rows) == 2 + len(steps.STEPS) + 5
    assert rows[-5] == f"| all | {1.5 * len(steps.STEPS):.2f} | {0.5 * len(steps.STEPS):.2f} |"
    assert rows[-4] == "| all, on two threads | 3.00 | 3.00 |"
    assert rows[-1] == f"| {steps.LIMIT} | 14.00 x | 14.00 x |"


def test_a_gain_is_the_naive_time_by_all_steps_and_its_limit_by_two_of_them() -> None:
    profiles = steps.profile([EXAMPLE], [load_portable()], rounds=1)

    row = profiles["portable"]
    assert row[steps.GAIN] == pytest.approx(row[steps.NAIVE] / sum(row[step] for step in steps.STEPS))
    assert row[steps.LIMIT] == pytest.approx(row[steps.NAIVE] / (row["decompress"] + row["resize"]))


def test_machines_get_json(capsys: pytest.CaptureFixture[str]) -> None:
    steps.main(rounds=1, count=1, as_json=True)

    assert json.loads(capsys.readouterr().out).keys() == {"portable", "compiled"}
