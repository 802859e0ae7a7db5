"""Every kind of input, errors as rows, and what the output promises: through the command."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("daft", reason="This test needs Daft, which is not installed: make setup.")
from gateway.answer import CSV_COLUMNS, outcome_row, row_json
from gateway.batch.report import Report
from gateway.batch.schema import SCHEMA
from services.inference import FrameVote, ModelInfo, Prediction, ShowProbability, Verdict
from services.preprocess import Budget
from tests.support.batch import RunBatch, SaveGif, read_rows
from tests.support.library import add_gifs, save_teaching_model
from tests.support.paths import ROOT
from tests.support.programs import call

DOCS = ROOT / "docs" / "batch.md"


@pytest.fixture
def folder(tmp_path: Path, save_gif: SaveGif) -> Path:
    """Three GIFs, one of them deeper and one in capitals, and what is no GIF by its name."""
    (tmp_path / "gifs" / "more").mkdir(parents=True)
    save_gif("gifs/red.gif", "red")
    save_gif("gifs/more/two.gif", "blue", "blue", "green")
    save_gif("gifs/BLUE.GIF", "blue")
    (tmp_path / "gifs" / "notes.txt").write_text("not asked about")
    return tmp_path / "gifs"


# Inputs


def test_a_folder_is_answered_whole(run_batch: RunBatch, folder: Path, tmp_path: Path) -> None:
    done = run_batch("gifs", "--out", "labels.parquet", "--json", "--top-k", "2")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "out": "labels.parquet",
        "answered": 3,
        "failed": 0,
        "kept": 0,
        "verdicts": [
            {"level": "show", "show": "Blue Show", "gifs": 2},
            {"level": "show", "show": "Red Show", "gifs": 1},
        ],
        "reasons": {},
    }
    rows = read_rows(tmp_path / "labels.parquet")
    assert {source: row["show"] for source, row in rows.items()} == {
        "gifs/red.gif": "Red Show",
        "gifs/BLUE.GIF": "Blue Show",
        "gifs/more/two.gif": "Blue Show",
    }
    red = rows["gifs/red.gif"]
    assert red["sha256"] == hashlib.sha256((folder / "red.gif").read_bytes()).hexdigest()
    assert (red["known"], red["verdict"], red["names"]) == (True, "show", ["Red Show"])
    assert red["text"] == "Red Show"
    assert [ranked["show"] for ranked in red["shows"]] == ["Red Show", "Green Show"]
    assert red["probability"] == red["shows"][0]["probability"] > 0.9
    assert [vote["show"] for vote in red["votes"]] == ["Red Show"] * 10
    assert (red["model_name"], red["model_version"]) == ("mean-colour", "1.2.3")
    assert red["error_reason"] is red["error_message"] is None
    assert not (tmp_path / "labels.parquet.parts").exists()


def test_a_glob_and_a_single_file(run_batch: RunBatch, folder: Path, tmp_path: Path) -> None:
    glob, single = (
        run_batch("gifs/**/*.gif", "--out", "a.parquet"),
        run_batch("gifs/red.gif", "--out", "b.parquet"),
    )

    assert (glob.returncode, single.returncode) == (0, 0)
    assert glob.stdout == "a.parquet: 2 answered, 0 failed\n  1 Blue Show, 1 Red Show\n"
    assert read_rows(tmp_path / "a.parquet").keys() == {"gifs/red.gif", "gifs/more/two.gif"}
    assert read_rows(tmp_path / "b.parquet").keys() == {"gifs/red.gif"}


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("column", ["path", "url"])
def test_manifest(run_batch: RunBatch, folder: Path, tmp_path: Path, kind: str, column: str) -> None:
    names = ["red.gif", "more/two.gif", "red.gif"]
    manifest = folder / f"list.{kind}"
    if kind == "csv":
        with manifest.open("w", newline="") as file:
            csv.writer(file).writerows([["id", column], *([str(n), name] for n, name in enumerate(names))])
    else:
        pq.write_table(pa.table({"id": [0, 1, 2], column: names}), manifest)

    done = run_batch(f"gifs/list.{kind}", "--out", "labels.parquet")

    assert done.returncode == 0, done.stderr
    assert read_rows(tmp_path / "labels.parquet").keys() == {"gifs/red.gif", "gifs/more/two.gif"}


# Errors


def test_errors_are_rows(run_batch: RunBatch, folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.gif"
    page.write_text("<!doctype html>")
    names = [
        "gifs/red.gif",
        "page.gif",
        "none.gif",
        "gifs",
        "http://127.0.0.1/a.gif",
        "https://user@example.org/a.gif",
        "ftp://example.org/a.gif",
    ]
    pq.write_table(pa.table({"url": [*names, None]}), tmp_path / "list.parquet")

    done = run_batch("list.parquet", "--out", "labels.parquet", "--json", GIF_ANALYZER_FETCH_HOSTS="*")

    assert done.returncode == 1
    said = json.loads(done.stdout)
    assert (said["answered"], said["failed"]) == (1, 7)
    assert said["reasons"] == {
        "UNREADABLE_FILE": 3,
        "INVALID_ADDRESS": 2,
        "ADDRESS_REFUSED": 1,
        "NOT_A_GIF": 1,
    }
    rows = read_rows(tmp_path / "labels.parquet")
    assert {source: row["error_reason"] for source, row in rows.items()} == {
        "gifs/red.gif": None,
        "page.gif": "NOT_A_GIF",
        "none.gif": "UNREADABLE_FILE",
        "gifs": "UNREADABLE_FILE",
        "http://127.0.0.1/a.gif": "ADDRESS_REFUSED",
        "https://user@example.org/a.gif": "INVALID_ADDRESS",
        "ftp://example.org/a.gif": "INVALID_ADDRESS",
        "": "UNREADABLE_FILE",
    }
    assert rows["none.gif"]["error_message"] == "cannot read the file: there is no such file"
    assert rows["none.gif"]["error_details"] == [
        {"name": "path", "value": "none.gif"},
        {"name": "why", "value": "there is no such file"},
    ]
    assert rows["none.gif"]["sha256"] is None
    assert rows["page.gif"]["sha256"] == hashlib.sha256(page.read_bytes()).hexdigest()
    for column in ("known", "verdict", "names", "show", "shows"):
        assert rows["page.gif"][column] is None


def test_limits_of_the_environment(run_batch: RunBatch, folder: Path, tmp_path: Path) -> None:
    done = run_batch("gifs/red.gif", "--out", "labels.parquet", GIF_ANALYZER_MAX_BYTES="20")

    assert done.returncode == 1
    assert read_rows(tmp_path / "labels.parquet")["gifs/red.gif"]["error_reason"] == "GIF_TOO_LARGE"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["none", "--out", "a.parquet"], "there is no such folder, glob or manifest"),
        (["none/*.gif", "--out", "a.parquet"], "it names no GIF"),
        (["empty", "--out", "a.parquet"], "it names no GIF"),
        (["none.csv", "--out", "a.parquet"], "there is no such file"),
        (["bad.csv", "--out", "a.parquet"], "its columns are: id, file"),
        (["bad.parquet", "--out", "a.parquet"], "it cannot be read as a manifest"),
        (["https://example.org/a.gif", "--out", "a.parquet"], "put addresses into a manifest"),
        (["gifs", "--out", "none/a.parquet"], "no such file or directory"),
        (["gifs", "--out", "bad.csv"], "is not an output of batch"),
        (["gifs", "--out", "empty.csv"], "is a directory"),
        (["gifs", "--out", "a.txt"], "it must be a name that ends in .parquet, .csv or .jsonl"),
        (["gifs", "--out", "a.csv", "--report", "r.txt"], "it must be a name that ends in .html"),
        (["gifs", "--out", "a.csv", "--report", "none/r.html"], "in a folder that can be written to"),
        (["gifs", "--out", "a.parquet", "--model", "none.onnx"], "there is no such file"),
        (["gifs", "--out", "a.parquet", "--top-k", "0"], "--top-k"),
        (["gifs"], "--out"),
    ],
)
def test_usage_errors(
    variables: dict[str, str], folder: Path, tmp_path: Path, arguments: list[str], says: str
) -> None:
    (tmp_path / "bad.csv").write_text("id,file\n1,a.gif\n")
    (tmp_path / "bad.parquet").write_text("not Parquet")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.csv").mkdir()
    before = sorted(tmp_path.rglob("*"))

    done = call("gif-analyzer", "batch", *arguments, cwd=tmp_path, **variables)

    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_names_that_are_not_utf8(run_batch: RunBatch, save_gif: SaveGif, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name, colour in ((b"in/\xff.gif", "red"), (rb"in/\xff.gif", "blue"), (b"in/bad\xe9.gif", None)):
        path = tmp_path / os.fsdecode(name)
        if colour is None:
            path.write_bytes(b"no GIF")
        else:
            path.write_bytes(save_gif("drawn.gif", colour).read_bytes())

    first, second = (run_batch("in", "--out", "labels.parquet") for _ in range(2))

    assert (first.returncode, second.returncode) == (1, 1)
    assert "3 of these kept from before" in second.stdout
    rows = read_rows(tmp_path / "labels.parquet")
    assert {source: row["text"] or row["error_reason"] for source, row in rows.items()} == {
        r"in/\xff.gif": "Red Show",
        r"in/\x5cxff.gif": "Blue Show",
        r"in/bad\xe9.gif": "NOT_A_GIF",
    }


def test_bad_lines_of_a_manifest_are_rows(run_batch: RunBatch, folder: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.gif")  # to which nobody writes
    (tmp_path / "list.csv").write_bytes(b"path\ngifs/red.gif\ngifs/\xff.gif\ngifs/\x00.gif\npipe.gif\n")

    run_batch("list.csv", "--out", "labels.parquet")

    rows = read_rows(tmp_path / "labels.parquet")
    assert rows.pop("gifs/red.gif")["text"] == "Red Show"
    assert [row["error_reason"] for row in rows.values()] == ["UNREADABLE_FILE"] * 3


# The output


def test_suffix_selects_format(
    run_batch: RunBatch, variables: dict[str, str], folder: Path, tmp_path: Path
) -> None:
    (folder / 'bad, "quoted".gif').write_bytes(b"no GIF")

    for name in ("a.parquet", "a.csv", "a.jsonl", "a.csv", "a.jsonl"):  # the last two write over their own
        done = run_batch("gifs", "--out", name)
        assert done.returncode == 1, done.stderr
        assert done.stdout.splitlines()[1:] == ["  2 Blue Show, 1 Red Show", "  1 failed: NOT_A_GIF"]

    rows = read_rows(tmp_path / "a.parquet")
    with (tmp_path / "a.csv").open(newline="") as file:
        cells = {line["source"]: line for line in csv.DictReader(file)}
    objects = {
        line["source"]: line for line in map(json.loads, (tmp_path / "a.jsonl").read_text().splitlines())
    }
    assert rows.keys() == cells.keys() == objects.keys()
    assert tuple(cells["gifs/red.gif"]) == CSV_COLUMNS
    for source, row in rows.items():
        assert cells[source]["text"] == (row["text"] or "")
        assert cells[source]["error_message"] == (row["error_message"] or "")
        assert objects[source] == row_json(row)
    identified = call("gif-analyzer", "identify", "--json", "gifs/red.gif", cwd=tmp_path, **variables)
    assert json.loads(identified.stdout) == {
        name: value for name, value in objects["gifs/red.gif"].items() if name != "sha256"
    }


def test_report_has_the_doubtful_first(
    run_batch: RunBatch, folder: Path, save_gif: SaveGif, tmp_path: Path
) -> None:
    save_gif("gifs/mixed & <b>.gif", "red", "red", "green")
    save_gif("gifs/grey.gif", "grey")
    (folder / "bad.gif").write_bytes(b"no GIF")

    done = run_batch("gifs", "--out", "labels.csv", "--report", "report.html")

    assert done.returncode == 1
    page = (tmp_path / "report.html").read_text("utf-8")
    assert re.findall(r"<h2>(.*?) <small>(\d+)", page) == [
        ("Unknown", "1"),
        ("Blue Show", "2"),
        ("Red Show", "2"),
        ("Could not be read", "1"),
    ]
    assert page.index("gifs/mixed &amp; &lt;b&gt;.gif") < page.index("gifs/red.gif")
    assert page.count('src="data:image/jpeg;base64,') == 5
    assert not re.search(r"(src|href)=\"(?!data:|#)|@import|url\(|<script", page)


def test_evidence_of_a_library_is_in_the_rows_and_in_the_report(
    run_batch: RunBatch, save_gif: SaveGif, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    model = save_teaching_model(tmp_path_factory.mktemp("model") / "teaching.onnx")
    save_gif("gifs <b>.gif", "purple", "teal")
    known = save_gif("known & <b>.gif", "purple", "teal")
    library = add_gifs(tmp_path / "some.library", model, {"Purple & Co": [known]})
    options = ["--out", "a.parquet", "--report", "report.html", "--library", library, "--model", model]

    done = run_batch("*.gif", *options)

    assert done.returncode == 0, done.stderr
    row = read_rows(tmp_path / "a.parquet")["gifs <b>.gif"]
    assert [(each["show"], each["name"]) for each in row["matches"]] == [("Purple & Co", "known & <b>.gif")]
    assert [each["name"] for each in row["neighbours"]] == ["known & <b>.gif"]
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "<p>Same footage: <b>Purple &amp; Co</b>, known &amp; &lt;b&gt;.gif, 2 frames</p>" in page


@pytest.mark.parametrize(
    ("source", "link"),
    [("https://example.org/a.gif?b&c", ' href="https://example.org/a.gif?b&amp;c"'), ("s3://b/a.gif", "")],
)
def test_a_gif_at_an_address_has_a_placeholder_and_its_link(source: str, link: str) -> None:
    answer = Prediction(
        shows=(ShowProbability("Friends", 0.9),),
        verdict=Verdict("show", ("Friends",)),
        votes=(FrameVote(0, "Friends", 0.9),),
        model=ModelInfo("gif-shows", "1", "0" * 64, "Apache-2.0"),
    )
    report = Report(Budget())
    report.write_table(pa.Table.from_pylist([outcome_row(source, "0" * 64, answer)], schema=SCHEMA))

    page = "".join(report.page(Path("labels.parquet")))

    assert f"<a class=picture{link}>not on this machine</a>" in page
    assert "<img" not in page


def test_the_schema_is_the_documented_one(run_batch: RunBatch, folder: Path, tmp_path: Path) -> None:
    run_batch("gifs", "--out", "labels.parquet")

    told = re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", DOCS.read_text("utf-8"), re.MULTILINE)
    written = pq.read_schema(tmp_path / "labels.parquet")
    assert [(field.name, _type_text(field.type)) for field in written] == told
    assert written.remove_metadata().equals(SCHEMA)


def _type_text(dtype: pa.DataType) -> str:
    """A type as the document writes it."""
    return re.sub(r"(element|item): ", "", str(dtype))
