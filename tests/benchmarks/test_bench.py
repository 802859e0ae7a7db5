from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner

from benchmarks import ROOT
from benchmarks.__main__ import app
from benchmarks.bench import command, models, plot, report, sections
from benchmarks.bench.command import Outputs, measure
from benchmarks.bench.contenders import Contender
from benchmarks.bench.environments import Absent, interpreter
from benchmarks.bench.results import (
    BY_FRAMES,
    REAL,
    Entry,
    Item,
    NotResults,
    Results,
    Section,
    compare,
    load,
    save,
)
from benchmarks.bench.sections import Plan, Question
from benchmarks.bench.servers import send_all

TRIVIAL = "tests.support.trivial"
QUIET = Console(quiet=True)


def example_results() -> Results:
    """Two sections, with a faster peer, a slower one that cannot do everything, and one that is absent."""
    decode = Section(
        "decode",
        "key",
        5,
        False,
        (
            Item("one", REAL, {"frames": 10}),
            Item("two", REAL, {"frames": 20}),
            Item("ten", BY_FRAMES, {"frames": 10}),
            Item("fifty", BY_FRAMES, {"frames": 50}),
        ),
        (
            Entry("this project", "us 1", "by time", ((0.01, 0.02, 0.01, 0.05),) * 5),
            Entry("Quick", "quick 2", "", ((0.005, 0.01, 0.01, 0.02),) * 5),
            Entry("Slow", "slow 3", "", ((0.03, None, 0.01, 0.2),) * 5, {"two": "too long"}),
        ),
        {"Gone": "does not install"},
    )
    serve = Section(
        "serve",
        "key",
        5,
        False,
        (Item("1", "1 at a time", {"clients": 1}), Item("8", "8 at a time", {"clients": 8})),
        (
            Entry("this project, REST", "us 1", "", ((0.1, 0.1),) * 5),
            Entry("Peer", "p 1", "", ((0.2, 0.1),) * 5),
        ),
    )
    return Results(2, "3.11.7", "2026-11-24", {"decode": decode, "serve": serve})


def test_results_are_read_as_written(tmp_path: Path) -> None:
    save(example_results(), tmp_path / "results.json")

    assert load(tmp_path / "results.json") == example_results()


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"cores": 2, "python": "", "measured": "", "sections": {"a": 1}}']
)
def test_a_file_without_results_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "results.json").write_text(text, "utf-8")

    with pytest.raises(NotResults, match=r"results\.json"):
        load(tmp_path / "results.json")


def test_the_table_names_faster_and_absent_peers() -> None:
    tables = report.tables(example_results())

    assert "| Quick | 7.1 | 0.50 | 0.50-0.50 | quick 2 |" in tables
    assert "| Slow (1 of 2 items) | 30.0 | 3.00 | 3.00-3.00 | slow 3 |" in tables
    assert "Faster than this project: Quick (0.50)." in tables
    assert "- Absent: Gone: does not install" in tables
    assert "- Slow is not counted at two: too long" in tables


def test_a_short_try_is_marked_as_one() -> None:
    [section] = [example_results().sections["decode"]]
    short = example_results().with_section(dataclasses.replace(section, rounds=2))

    assert "not a figure to quote" in report.tables(short)
    assert "not a figure to quote" not in report.tables(example_results())


def test_results_table_and_plot_agree(tmp_path: Path) -> None:
    outputs = Outputs.of(tmp_path, quick=False)

    command.write(example_results(), outputs)

    check_agreement(outputs)


def test_the_committed_figures_agree() -> None:
    outputs = Outputs.of(None, quick=False)
    if not outputs.results.is_file():
        pytest.skip("This test needs benchmarks/results.json: make bench.")

    check_agreement(outputs)


def check_agreement(outputs: Outputs) -> None:
    results = load(outputs.results)
    page = outputs.table.read_text("utf-8")
    assert page == report.page(results, plot=outputs.plot.name)
    rows = re.findall(r"^\| ([^|]+?)(?: \(\d+ of \d+ items\))? \| [\d.]+ \| ([\d.]+) \|", page, re.MULTILINE)
    figures = [
        (figure.name, figure.ratio.middle)
        for name in report.TITLES
        if name in results.sections
        for group in results.sections[name].groups
        for figure in compare(results.sections[name], group)
    ]
    assert [name for name, _ in rows] == [name for name, _ in figures]
    assert [float(ratio) for _, ratio in rows] == pytest.approx([ratio for _, ratio in figures], abs=0.006)
    with Image.open(outputs.plot) as picture:
        picture.load()
        assert picture.text[plot.DIGEST] == plot.digest(results)


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch) -> Mapping[str, Question]:
    """Trivial questions instead of the real ones; one peer is not installed."""
    trivial = (
        Contender("this project", f"{TRIVIAL}:echo"),
        Contender("Peer", f"{TRIVIAL}:echo"),
        Contender("Gone", f"{TRIVIAL}:needs_a_missing_library"),
    )
    items = (Item("1", "numbers"), Item("2", "numbers"))
    made = {name: Question(name, trivial, items) for name in sections.NAMES}
    monkeypatch.setattr(sections, "QUESTIONS", {name: lambda plan, q=q: q for name, q in made.items()})
    return made


def test_an_interrupted_measurement_continues_after_the_finished_sections(
    tmp_path: Path, questions: Mapping[str, Question], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, outputs = Plan(rounds=2, work=tmp_path / "work"), Outputs.of(tmp_path / "out", quick=False)
    measured: list[str] = []
    real = command._measure

    def interrupted(question: Question, plan: Plan, terminal: Console) -> Section:
        if question.name == "serve" and "serve" not in measured:
            measured.append("serve")
            raise KeyboardInterrupt
        measured.append(question.name)
        return real(question, plan, terminal)

    monkeypatch.setattr(command, "_measure", interrupted)
    with pytest.raises(KeyboardInterrupt):
        measure(plan, sections.NAMES, outputs, terminal=QUIET)
    assert not outputs.results.exists()

    results = measure(plan, sections.NAMES, outputs, terminal=QUIET)

    assert measured == ["decode", "classify", "serve", "serve", "line"]
    assert load(outputs.results) == results
    assert set(results.sections) == set(sections.NAMES)
    assert not (tmp_path / "work/unfinished.json").exists()
    assert "no_such_library" in results.sections["line"].absent["Gone"]


def test_a_changed_question_is_measured_again_after_an_interruption(
    tmp_path: Path, questions: Mapping[str, Question], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, outputs = Plan(rounds=1, work=tmp_path / "work"), Outputs.of(tmp_path / "out", quick=False)
    monkeypatch.setattr(command, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        measure(plan, ("line",), outputs, terminal=QUIET)
    monkeypatch.undo()
    monkeypatch.setattr(sections, "QUESTIONS", {"line": lambda plan: questions["line"]})

    results = measure(dataclasses.replace(plan, rounds=2), ("line",), outputs, terminal=QUIET)

    assert results.sections["line"].rounds == 2


def test_measuring_one_section_keeps_the_others(tmp_path: Path, questions: Mapping[str, Question]) -> None:
    outputs = Outputs.of(tmp_path / "out", quick=False)
    save(example_results(), outputs.results)

    results = measure(Plan(rounds=1, work=tmp_path / "work"), ("line",), outputs, terminal=QUIET)

    assert results.sections["decode"] == example_results().sections["decode"]
    assert results.sections["line"].rounds == 1


def test_the_command_measures_this_project_alone(
    tmp_path: Path, model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIFS_SHARED", str(tmp_path))  # without footage the examples are used

    ended = CliRunner().invoke(
        app,
        [
            *("bench", "--quick", "--alone", "--json", "--rounds", "2"),
            *("--out", str(tmp_path), "--work", str(tmp_path / "work"), "--model", str(model_path)),
        ],
    )

    assert ended.exit_code == 0, ended.output
    results = json.loads(ended.stdout)
    assert list(results["sections"]) == list(sections.NAMES)
    assert all(
        section["entries"][0]["name"].startswith("this project") for section in results["sections"].values()
    )
    assert [item["name"] for item in results["sections"]["line"]["items"]] == [
        "brook.gif",
        "meadow.gif",
        "spinner.gif",
    ]
    assert str(ROOT) not in ended.stdout
    check_agreement(Outputs.of(tmp_path, quick=True))


def test_requests_are_sent_at_once_and_no_two_are_the_same() -> None:
    sent: list[bytes] = []
    together = threading.Barrier(4, timeout=30)

    def identify(gif: bytes) -> str:
        sent.append(gif)
        together.wait()
        return gif[6:7].decode()

    assert send_all(identify, [b"GIF89aX;", b"GIF89aY;"], requests=8, clients=4) == ["X", "Y"] * 4
    assert len(set(sent)) == 8


@pytest.fixture
def float_and_int8(model_path: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A model, and a copy with a node that only int8 models have."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load(model_path)
    model.graph.initializer.extend(
        [
            numpy_helper.from_array(np.ones(2, np.int8), "whole"),
            numpy_helper.from_array(np.float32(1), "step"),
            helper.make_tensor("zero", TensorProto.INT8, (), [0]),
        ]
    )
    model.graph.node.append(helper.make_node("DequantizeLinear", ["whole", "step", "zero"], ["float"]))
    onnx.save(model, tmp_path / "int8.onnx")
    return model_path, tmp_path / "int8.onnx"


def test_a_row_is_named_by_the_precision_of_its_model(
    float_and_int8: tuple[Path, Path], tmp_path: Path
) -> None:
    def rows(name: str, **files: Path) -> dict[str, Contender]:
        question = sections.question(name, Plan(quick=True, peers=False, work=tmp_path / "work", **files))
        return {contender.name: contender for contender in question.contenders}

    whole, exact = float_and_int8[1], float_and_int8[0]
    line = rows("line", model=whole, other_model=exact)
    assert list(line) == ["this project", "this project, fast", "this project, fp32 model"]
    assert line["this project"].note == "int8"
    assert line["this project, fp32 model"].options == {"model": str(exact)}
    assert list(rows("line", model=exact, other_model=whole))[-1] == "this project, int8 model"
    assert list(rows("line", model=exact, other_model=exact))[-1] == "this project, other fp32 model"
    assert len(rows("line", model=exact)) == 2
    assert "int8" in rows("classify", model=whole)["this project"].note


def test_another_other_model_is_another_question(float_and_int8: tuple[Path, Path], tmp_path: Path) -> None:
    exact, whole = float_and_int8
    plan = Plan(quick=True, peers=False, work=tmp_path / "work", model=exact, other_model=whole)
    question = sections.question("line", plan)
    before = question.key(plan)

    whole.write_bytes(exact.read_bytes())

    assert question.key(plan) != before


@pytest.mark.parametrize("options", [["--only", "dinner"], ["--model", "nowhere.onnx"]])
def test_invalid_options_are_refused(options: list[str]) -> None:
    ended = CliRunner().invoke(app, ["bench", *options])

    assert ended.exit_code == command.CANNOT
    assert options[1] in ended.output


def test_the_untrained_model_has_the_shape_of_the_packaged_one() -> None:
    import onnx

    from services.inference import default_model_path
    from training.network.model import to_onnx

    def weights(model: onnx.ModelProto) -> list[tuple[int, ...]]:
        """Shapes of the kernels and matrices, which decide the speed."""
        tensors = (tuple(tensor.dims) for tensor in model.graph.initializer if len(tensor.dims) in (2, 4))
        return sorted(shape for shape in tensors if shape != (1, 1))

    # The packaged one reads four pixels of a row as one: see training/export/int8/graph.py.
    packaged = weights(onnx.load(default_model_path()))
    packaged[packaged.index((64, 12, 3, 2))] = (32, 3, 3, 3)
    assert weights(to_onnx(models.untrained())) == sorted(packaged)


SaveGif = Callable[..., Path]


@pytest.mark.parametrize(
    ("name", "environment"),
    [
        *((name, None) for name in ("this_project", "pillow", "pyav", "tensorflow")),
        *((name, name) for name in ("opencv", "imageio", "pyvips")),
    ],
)
def test_decoders_see_the_same_colours(
    tmp_path: Path, save_gif: SaveGif, name: str, environment: str | None
) -> None:
    try:
        python = interpreter(environment) if environment else Path(sys.executable)
    except Absent as error:
        pytest.skip(f"This test needs {name}, which is {error}.")
    path, saved = save_gif("colours.gif", "red", "blue"), tmp_path / "clip.npy"
    program = (
        "import sys, numpy; from benchmarks.bench import decoders; "
        "numpy.save(sys.argv[3], getattr(decoders, sys.argv[1])().run(sys.argv[2]))"
    )

    # In a subprocess: most have an environment of their own, and TensorFlow sets its threads once for a
    # process.
    subprocess.run([str(python), "-c", program, name, str(path), str(saved)], cwd=ROOT, check=True)
    clip = np.load(saved)

    assert clip.shape == (10, 224, 224, 3)
    first, last = (
        np.median(clip[frame].reshape(-1, 3), axis=0) for frame in (0, 9)
    )  # the median ignores the stripes
    assert abs(first - (255, 0, 0)).max() < 8
    assert abs(last - (0, 0, 255)).max() < 8
