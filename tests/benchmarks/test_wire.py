from __future__ import annotations

from pathlib import Path

from benchmarks import wire


def test_the_wire_is_measured_beside_the_functions(model_path: Path) -> None:
    gifs = [path.read_bytes() for path in wire.EXAMPLES]

    report = wire.measure(model_path, gifs, turns=2)

    assert (report.gifs, report.turns) == (len(gifs), 2)
    assert report.direct_ms > 0
    assert report.ratio > 0.5
