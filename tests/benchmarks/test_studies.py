"""The benchmarks of single parts: their arithmetic, and one short measurement each."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from benchmarks.bench.results import Entry, Item, Results, Section, load
from benchmarks.studies import early_exit, library, limits, microbatch, scale, steps, wire
from delivery.cost import Measurement
from services.errors import ModelError
from services.inference import Classifier
from services.inference.library.embedding import EMBEDDING_SCALE, EMBEDDING_SIZE
from services.preprocess import decode_gif
from services.preprocess.backend import portable
from tests.support.paths import ROOT

EXAMPLE = ROOT / "examples" / "meadow.gif"
SaveGif = Callable[..., Path]


def run(*words: str | Path) -> Result:
    """Run `python -m benchmarks` in this process; it needs every extra that a benchmark uses."""
    pytest.importorskip(
        "matplotlib", reason="This test needs matplotlib, which is not installed: make setup."
    )
    from benchmarks.__main__ import app

    return CliRunner().invoke(app, [str(word) for word in words])


def test_the_services_are_measured_beside_the_functions(model_path: Path) -> None:
    report = wire.measure(model_path, [EXAMPLE.read_bytes()], turns=2)

    assert (report["gifs"], report["turns"]) == (1, 2)
    assert report["direct_ms"] > 0
    assert report["ratio"] > 0.5


@pytest.mark.skipif(
    sys.platform != "linux", reason="This test needs Linux, which tells the memory of a process."
)
def test_hostile_clients_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "STILL_S", 0.01)
    monkeypatch.setattr(limits, "SETTLE_S", 0.0)

    report = limits.measure(methods=20, uploads=9, bytes_each=25_000_000)

    assert report["metrics_bytes"] < 5_000
    assert report["refused"] == 1  # eight of them fit into 200 MB


def test_the_gain_of_early_exit_follows_from_the_times_and_the_share_of_clips_that_stop(
    early_exit_path: Path, save_gif: SaveGif, tmp_path: Path
) -> None:
    effort = tmp_path / "effort.json"
    effort.write_text(json.dumps({"followed": [{"stopped": {"value": 0.1}}, {"stopped": {"value": 0.25}}]}))
    gifs = [save_gif("one.gif", "red").read_bytes(), save_gif("two.gif", "red", "blue").read_bytes()]

    stopped = early_exit.read_stopped(effort)
    report = early_exit.measure(Classifier(early_exit_path), gifs, stopped=stopped, turns=2)

    assert (report["gifs"], report["turns"], report["stopped"]) == (2, 2, 0.25)
    early = 0.25 * report["first_ms"] + 0.75 * report["parts_ms"]
    assert report["inference_ratio"] == pytest.approx(report["whole_ms"] / early, rel=0.05)
    whole, parts = report["decode_ms"] + report["whole_ms"], report["decode_ms"] + early
    assert report["line_ratio"] == pytest.approx(whole / parts, rel=0.05)


def test_a_model_without_a_rule_for_early_exit_is_refused(model_path: Path) -> None:
    with pytest.raises(ModelError, match="no rule"):
        early_exit.measure(Classifier(model_path), [], stopped=0.5, turns=1)


def test_groups_are_compared_with_one_by_one_round_by_round() -> None:
    seconds = {microbatch.ONE_BY_ONE: [1.0, 2.0, 4.0], "in groups": [2.0, 2.0, 2.0]}

    one, groups = microbatch.compare(seconds)

    assert (one.milliseconds, one.ratio.middle, one.ratio.spread) == (250.0, 1.0, "1.00-1.00")
    assert (groups.milliseconds, groups.ratio.middle, groups.ratio.spread) == (250.0, 1.0, "0.50-2.00")


def test_groups_of_every_size_are_measured(model_path: Path) -> None:
    clips = np.zeros((microbatch.CLIPS, 10, 224, 224, 3), np.uint8)

    rows = microbatch.measure(model_path, clips, rounds=1)

    assert [row.way for row in rows] == ["one by one", *(f"in groups of {size}" for size in (2, 4, 8))]
    assert all(row.milliseconds > 0 for row in rows)


def test_a_gif_of_36_ms_is_ten_thousand_core_hours_a_billion() -> None:
    assert scale.core_hours(36.0) == pytest.approx(10_000)


def test_lambda_is_paid_by_gb_seconds_and_by_requests() -> None:
    assert scale.dollars(0.0) == pytest.approx(200)
    assert scale.dollars(0.2) == pytest.approx(200 + 2e8 * 0.0000166667)


def test_a_billion_gifs_have_a_row_for_each_form_of_this_project_and_none_for_peers() -> None:
    items = (Item("a", "real GIFs"), Item("b", "real GIFs"), Item("c", "drawings"))
    entries = (
        Entry("this project", "1", "", ((0.036, 0.036, 9.0),)),
        Entry("OpenCV", "1", "", ((0.072, 0.072, 9.0),)),
    )
    section = Section("line", "key", 1, quick=False, items=items, entries=entries)
    measured = Measurement(cold_ms=900.0, warm_ms=100.0, peak_memory_bytes=1, made="2026-01-02", rounds=9)

    rows = scale.page_table(Results(2, "3.11", "2026-01-02", {"line": section}), measured).splitlines()[2:]

    assert [row.split(" | ")[0] for row in rows] == [
        "| processors of one's own, this project",
        "| AWS Lambda with 1769 MB",
    ]
    assert "10,000 core-hours | 417 cores for a day" in rows[0]
    assert "28 hours at 1,000 at once" in rows[1]


def test_the_page_about_scale_has_the_table_that_follows_from_the_measurements() -> None:
    table = scale.page_table(load(scale.RESULTS), Measurement.read(scale.COLD_START))

    assert table in (ROOT / "docs/scale.md").read_text("utf-8")


def test_a_study_without_its_measurements_says_so_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text('{"cores": 2, "python": "3", "measured": "x", "sections": {}}')

    for words in (
        ("scale", "--results", tmp_path / "none.json"),
        ("scale", "--results", tmp_path / "results.json"),
        ("early-exit", "--effort", tmp_path / "none.json"),
    ):
        assert run(*words).exit_code == 2


def test_every_step_is_timed_and_the_clip_is_the_same() -> None:
    gif = EXAMPLE.read_bytes()
    watch = steps.TimedBackend(portable())

    seconds = steps.measure(gif, steps.pictures(gif), watch)

    assert seconds.keys() == {*steps.STEPS, steps.TWO_THREADS}
    assert all(seconds[step] > 0 for step in ("scan", "decompress", "draw", "crop", "resize"))
    assert (decode_gif(gif, backend=watch).frames == decode_gif(gif).frames).all()


def test_the_steps_have_a_row_each_and_so_have_their_sum_and_the_gains() -> None:
    rest = {steps.TWO_THREADS: 3.0, steps.NAIVE: 21.0, steps.GAIN: 2.0, steps.LIMIT: 14.0}
    slow, fast = (dict.fromkeys(steps.STEPS, milliseconds) | rest for milliseconds in (1.5, 0.5))

    rows = steps.steps_table({"portable": slow, "compiled": fast}).splitlines()

    assert rows[0] == "| step | portable, ms | compiled, ms |"
    assert len(rows) == 2 + len(steps.STEPS) + 5
    assert rows[-5] == f"| all | {1.5 * len(steps.STEPS):.2f} | {0.5 * len(steps.STEPS):.2f} |"
    assert rows[-4] == "| all, on two threads | 3.00 | 3.00 |"
    assert rows[-1] == f"| {steps.LIMIT} | 14.00 x | 14.00 x |"


def test_the_gain_is_over_all_steps_and_its_limit_over_two_of_them() -> None:
    row = steps.profile([EXAMPLE], [portable()], rounds=1)["portable"]

    assert row[steps.GAIN] == pytest.approx(row[steps.NAIVE] / sum(row[step] for step in steps.STEPS))
    assert row[steps.LIMIT] == pytest.approx(row[steps.NAIVE] / (row["decompress"] + row["resize"]))


# A library


def test_made_up_clips_are_near_real_ones_and_of_length_one() -> None:
    real = np.random.default_rng(0).integers(-55, 56, (3, EMBEDDING_SIZE)).astype(np.int8)

    made = library.make_clips(real, 500) / EMBEDDING_SCALE

    assert np.linalg.norm(made, axis=1) == pytest.approx(np.ones(500), abs=0.05)
    to_real = (made @ (real / np.linalg.norm(real, axis=1, keepdims=True)).T).max(axis=1)
    assert 0.6 < to_real.min() < to_real.max() < 0.98


def test_a_library_is_measured_by_its_size(model_path: Path, tmp_path: Path) -> None:
    clip = decode_gif(EXAMPLE.read_bytes())
    classifier = Classifier(model_path)
    real = classifier.describe_clip(clip, show="", name="").embedding[None]

    size = library.measure_size(tmp_path / "a", classifier.model, real, [clip], 300, rounds=1)
    building = library.measure_building(classifier, [EXAMPLE.read_bytes()], rounds=1)

    assert size.clips == 300
    assert 300 * 900 < size.file_bytes < 300 * 1_100
    assert min(size.open_ms, size.neighbours_ms, size.matches_ms, building.describe_ms) > 0
    assert library.size_table([dataclasses.asdict(size)]).splitlines()[2].startswith("| 300 | 0.3 MB |")
    if size.exact and size.index:  # usearch is installed
        assert size.exact.recall > 0.98
        assert size.index.recall > 0.9
        assert size.index.build_s > 0


def test_the_pages_about_libraries_have_the_tables_that_were_measured() -> None:
    measured = json.loads(library.RESULTS.read_text("utf-8"))
    page = (ROOT / "docs/library.md").read_text("utf-8")

    assert library.size_table(measured["sizes"]) in page
    assert library.search_table(measured["sizes"]) in page
    assert f"{measured['building']['ratio']['middle']:.2f} times as long" in page
