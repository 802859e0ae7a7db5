"""The command line, in processes of its own where pipes and signals matter."""

from __future__ import annotations

import csv
import hashlib
import importlib.metadata
import io
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from services.clip import FORMATS
from tests.support import programs
from tests.support.pictures import FORMATS_OF
from tests.support.programs import Done, command

SaveGif = Callable[..., Path]
Run = Callable[..., Done]


@pytest.fixture
def environ(model_path: Path) -> dict[str, str]:
    """An environment that names the mean-colour model."""
    return programs.environ(GIF_ANALYZER_MODEL=str(model_path))


@pytest.fixture
def run(model_path: Path, tmp_path: Path) -> Run:
    """A function that runs gif-analyzer to its end, in this process: words, stdin, further variables."""

    def run_to_end(*words: str | Path, stdin: bytes = b"", **variables: str) -> Done:
        named = {"GIF_ANALYZER_MODEL": str(model_path), **variables}
        return programs.call("gif-analyzer", *words, stdin=stdin, cwd=tmp_path, **named)

    return run_to_end


# For people


def test_a_gif_is_named_with_bars_and_votes(run: Run, save_gif: SaveGif) -> None:
    done = run("identify", save_gif("two.gif", "red", "red", "red", "blue").name)

    assert done.returncode == 0
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0] == "two.gif: Red Show"
    assert lines[1] == "  1  Red Show     94.6%  ██████████████████▉"
    assert [line.split("s  ")[1] for line in lines[4:]] == [
        "Red Show  7 of 10 frames",
        "Blue Show  3 of 10 frames",
    ]


def test_a_grey_gif_is_plainly_unknown(run: Run, save_gif: SaveGif) -> None:
    done = run("identify", save_gif("grey.gif", "grey"))

    assert done.returncode == 0
    headline, hint = done.stdout.splitlines()
    assert "grey.gif: unknown; nearest guess: " in headline
    assert hint == "  use --top-k 5 to rank the shows anyway"
    ranked = run("identify", "--top-k", "2", "grey.gif").stdout.splitlines()[1:3]
    assert [line[:5] for line in ranked] == ["  1  ", "  2  "]


def test_output_without_a_terminal(run: Run, save_gif: SaveGif) -> None:
    name = "a very long name " * 10 + "[bold].gif"

    done = run("identify", save_gif(name, "red"), TERM="xterm-256color", COLUMNS="40")

    assert "\x1b" not in done.stdout + done.stderr
    assert any(line.endswith(f"{name}: Red Show") for line in done.stdout.splitlines())


def test_output_that_takes_only_ascii_is_ascii(model_path: Path, save_gif: SaveGif) -> None:
    variables = {"GIF_ANALYZER_MODEL": str(model_path), "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "1"}

    done = programs.run("gif-analyzer", "identify", save_gif("rød.gif", "red"), **variables)

    assert done.returncode == 0
    assert done.stdout.isascii()
    assert "r\\xf8d.gif: Red Show" in done.stdout


def test_one_bad_file_does_not_stop_the_others(run: Run, save_gif: SaveGif, tmp_path: Path) -> None:
    red, blue = save_gif("red.gif", "red"), save_gif("blue.gif", "blue")
    (tmp_path / "page.gif").write_text("<!doctype html>")
    (tmp_path / "empty.gif").touch()

    (tmp_path / "folder").mkdir()

    done = run("identify", red, "page.gif", "none.gif", "folder", "x/*.gif", "empty.gif", blue)

    assert done.returncode == 1
    assert "red.gif: Red Show" in done.stdout
    assert "blue.gif: Blue Show" in done.stdout
    assert done.stdout.splitlines()[-1] == "1 Blue Show, 1 Red Show, 5 unreadable"
    page, missing, folder, glob, empty = done.stderr.splitlines()
    assert page.startswith("gif-analyzer: page.gif: not a GIF, WebP, PNG or JPEG: this is ")
    assert missing == "gif-analyzer: none.gif: cannot read the file: there is no such file"
    assert folder == "gif-analyzer: folder: cannot read the file: there is no GIF in this folder"
    assert glob == "gif-analyzer: x/*.gif: cannot read the file: no file has such a name"
    assert empty.startswith("gif-analyzer: empty.gif: not a GIF, WebP, PNG or JPEG: this is ")


@pytest.mark.parametrize("word", [[], ["identify"]])
def test_several_gifs(
    run: Run, save_gif: SaveGif, familiar_path: Path, tmp_path: Path, word: list[str]
) -> None:
    (tmp_path / "more" / "deep").mkdir(parents=True)
    save_gif("red.gif", "red")
    save_gif("more/deep/two.gif", "red", "#ffdc00", "lime")
    save_gif("more/OLIVE.GIF", "#c8be3c")
    save_gif("more/red2.gif", "red")
    (tmp_path / "more" / "notes.txt").touch()

    done = run(*word, "red.gif", "more", "more/*2.gif", GIF_ANALYZER_MODEL=str(familiar_path))

    assert done.returncode == 0, done.stderr
    assert [line.partition(" (")[0] for line in done.stdout.splitlines()] == [
        "red.gif: Red Show",
        "more/OLIVE.GIF: live action, but no show that I know; nearest guess: Red Show",
        "more/red2.gif: Red Show",
        "more/deep/two.gif: Red Show or Green Show",
        "more/red2.gif: Red Show",
        "3 Red Show, 1 one of several shows, 1 of a kind, but no show that I know",
    ]


def test_identify_may_be_left_out(run: Run, save_gif: SaveGif) -> None:
    save_gif("red.gif", "red")

    said = run("identify", "red.gif").stdout

    assert said.startswith("red.gif: Red Show\n  1  Red Show")
    assert run("red.gif").stdout == said
    assert run("--no-frames", "red.gif").stdout == "".join(said.splitlines(keepends=True)[:4])
    assert run("--json", "red.gif").stdout == run("identify", "red.gif", "--json").stdout
    assert run("-", stdin=Path("examples/spinner.gif").read_bytes()).stdout.startswith("standard input: ")


def test_frames_may_be_left_out_of_json(run: Run, save_gif: SaveGif) -> None:
    done = run("--json", "--no-frames", save_gif("red.gif", "red"))

    assert json.loads(done.stdout).keys() == {
        *("source", "format", "shows", "known", "verdict", "model", "matches", "neighbours")
    }


def test_csv_is_a_table_with_a_row_for_each(run: Run, save_gif: SaveGif, tmp_path: Path) -> None:
    red = save_gif("red, or so.gif", "red")
    (tmp_path / "page.gif").write_text("<!doctype html>")

    done = run("--csv", red.name, "page.gif", "none.gif")

    assert done.returncode == 1
    assert done.stderr == ""
    first, second, third = csv.DictReader(io.StringIO(done.stdout))
    assert (first["source"], first["text"], first["known"]) == (red.name, "Red Show", "true")
    assert first["sha256"] == hashlib.sha256(red.read_bytes()).hexdigest()
    assert (second["text"], second["error_reason"]) == ("", "NOT_A_GIF")
    assert (third["sha256"], third["error_reason"]) == ("", "UNREADABLE_FILE")


@pytest.mark.parametrize("options", [["--json"], ["--csv"], ["--frames"], []])
def test_name_that_is_not_utf8(run: Run, save_gif: SaveGif, tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "in").mkdir()
    save_gif("red.gif", "red").rename(tmp_path / "in" / os.fsdecode(b"\xff.gif"))
    save_gif("in/blue.gif", "blue")

    done = run(*options, "in")

    assert done.returncode == 0, done.stderr
    name = r"in/\\xff.gif" if options == ["--json"] else r"in/\xff.gif"
    assert name in done.stdout
    done.stdout.encode()  # no half characters


def test_name_is_escaped_for_the_terminal(run: Run) -> None:
    done = run("identify", "\x1b[2Jgone\n.gif")

    assert "\\x1b[2Jgone\\n.gif: cannot read the file" in done.stderr


@pytest.mark.parametrize("name", FORMATS_OF)
def test_another_format_is_named_in_the_headline(run: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / "picture").write_bytes(FORMATS_OF[name])

    done = run("identify", "picture")

    assert done.stdout.startswith(f"picture ({FORMATS[name]}): unknown; nearest guess: Red Show\n")


# For programs


def test_json_is_one_object_on_a_line_for_each_input(run: Run, save_gif: SaveGif) -> None:
    red = save_gif("red.gif", "red")

    done = run("identify", "--json", "--top-k", "2", red, "none.gif", "-", stdin=red.read_bytes())

    assert done.returncode == 1
    assert done.stderr == ""
    named, failed, piped = [json.loads(line) for line in done.stdout.splitlines()]
    assert named["source"] == str(red)
    assert [ranked["show"] for ranked in named["shows"]] == ["Red Show", "Green Show"]
    assert len(named["votes"]) == 10
    assert (failed["source"], failed["error"]["reason"]) == ("none.gif", "UNREADABLE_FILE")
    assert failed["error"]["details"] == {"path": "none.gif", "why": "there is no such file"}
    assert piped == {**named, "source": "-"}


def test_json_lines_come_at_once(environ: dict[str, str], save_gif: SaveGif, tmp_path: Path) -> None:
    red = save_gif("red.gif", "red")
    with subprocess.Popen(
        command("gif-analyzer", "identify", "--json", red, "-"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environ,
        cwd=tmp_path,
    ) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["known"] is True  # while standard input is still open
        process.communicate(red.read_bytes(), timeout=60)
    assert process.returncode == 0


def test_limits_of_the_environment(run: Run, save_gif: SaveGif) -> None:
    done = run("identify", "--json", save_gif("two.gif", "red", "blue"), GIF_ANALYZER_MAX_FRAMES="1")

    assert done.returncode == 1
    assert "limited to 1 frames" in json.loads(done.stdout)["error"]["message"]


# Errors of usage, settings and model


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["identify"], "Missing argument"),
        (["identify", "--top-k", "0", "a.gif"], "--top-k must be at least 1, not '0'"),
        (["--top-k", "many", "a.gif"], "--top-k must be a whole number, not 'many'"),
        (["sort", ".", "--into", "x", "--how", "burn"], "--how must be copy, link or move, not 'burn'"),
        (["identify", "--colour", "a.gif"], "No such option"),
        (["identify", "-", "-"], "can be read only once"),
        (["identyfi", "a.gif"], "Did you mean 'identify'?"),
        (["--json", "--csv", "a.gif"], "give one of the two"),
        (["identify", "--model", "none.onnx", "a.gif"], "none.onnx: there is no such file"),
        (["identify", "--json", "--model", ".", "a.gif"], "it is a directory"),
    ],
)
def test_what_cannot_run_exits_2_and_says_why(run: Run, arguments: list[str], says: str) -> None:
    done = run(*arguments)

    assert done.returncode == 2
    assert done.stdout == ""
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        (
            {"GIF_ANALYZER_THREADS": "all"},
            "invalid setting: GIF_ANALYZER_THREADS must be a whole number, at least 1, it is 'all'",
        ),
        (
            {"GIF_ANALYZER_THREDS": "2"},
            "unknown setting: GIF_ANALYZER_THREDS; did you mean GIF_ANALYZER_THREADS?",
        ),
    ],
)
def test_an_invalid_setting_exits_2_and_is_named(run: Run, variables: dict[str, str], says: str) -> None:
    done = run("a.gif", **variables)

    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"gif-analyzer: {says}\n")


def test_the_model_option_overrules_the_environment(run: Run, save_gif: SaveGif, model_path: Path) -> None:
    done = run("identify", "--model", model_path, save_gif("red.gif", "red"), GIF_ANALYZER_MODEL="none.onnx")

    assert done.returncode == 0


def test_early_exit_uses_fewer_frames(run: Run, save_gif: SaveGif, early_exit_path: Path) -> None:
    gif = save_gif("red.gif", "red")

    def frames(*options: str, **variables: str) -> int:
        done = run("identify", "--json", "--model", early_exit_path, *options, gif, **variables)
        assert done.returncode == 0, done.stderr
        return len(json.loads(done.stdout)["votes"])

    assert frames() == 10
    assert frames("--early-exit") == 3
    assert frames(GIF_ANALYZER_EARLY_EXIT="on") == 3
    assert frames("--exact", GIF_ANALYZER_EARLY_EXIT="on") == 10


@pytest.mark.parametrize(
    ("arguments", "variables", "says"),
    [
        (["--early-exit"], {}, "it holds no rule for early exit"),
        ([], {"GIF_ANALYZER_EARLY_EXIT": "on"}, "it holds no rule for early exit"),
        ([], {"GIF_ANALYZER_EARLY_EXIT": "often"}, "GIF_ANALYZER_EARLY_EXIT must be on or off"),
        (
            ["--early-exit", "--preprocess", "h:1", "--inference", "h:1"],
            {},
            "the service is set to do so, or not",
        ),
    ],
)
def test_impossible_early_exit(run: Run, arguments: list[str], variables: dict[str, str], says: str) -> None:
    done = run("identify", *arguments, "any.gif", **variables)

    assert done.returncode == 2
    assert says in " ".join(done.stderr.replace("│", " ").split())


def test_help(run: Run) -> None:
    overview, help_text = run("--help"), run("identify", "-h")

    assert "identify" in overview.stdout
    for promised in ("Examples", "--json", "--top-k", "--model", "Exit codes", "GIF_ANALYZER_THREADS"):
        assert promised in help_text.stdout
    assert (overview.returncode, help_text.returncode) == (0, 0)


@pytest.mark.parametrize(
    ("program", "name"),
    [
        ("gif-analyzer", "gif-analyzer"),
        ("gif-train", "gif-train"),
        ("gif-deliver", "gif-deliver"),
        ("services", "python -m services"),
    ],
)
def test_every_program_says_its_version(program: str, name: str) -> None:
    done = programs.call(program, "--version")

    assert (done.returncode, done.stdout) == (0, f"{name} {importlib.metadata.version('gif-analyzer')}\n")


@pytest.mark.parametrize("program", ["gif-analyzer", "gif-train", "gif-deliver"])
def test_every_program_completes_words_in_a_shell(program: str) -> None:
    variable = f"_{program.replace('-', '_').upper()}_COMPLETE"
    last = {"gif-analyzer": "ident", "gif-train": "fi", "gif-deliver": "roll"}[program]

    offered = programs.call(program, "--help").stdout
    words = {variable: "complete_bash", "COMP_WORDS": f"{program} {last}", "COMP_CWORD": "1"}
    done = programs.call(program, **words)

    assert "--install-completion" in offered
    assert {"gif-analyzer": "identify", "gif-train": "fit", "gif-deliver": "rollback"}[program] in done.stdout


def test_the_shows_are_listed_with_their_kinds(run: Run, familiar_path: Path) -> None:
    plain, with_kinds = run("shows"), run("shows", "--model", familiar_path)
    parsed = json.loads(run("shows", "--json").stdout)

    assert plain.stdout.splitlines() == [
        "mean-colour 1.2.3 names 3 shows:",
        "  Blue Show",
        "  Green Show",
        "  Red Show",
    ]
    assert "  Red Show  (live action)" in with_kinds.stdout.splitlines()
    assert parsed["shows"][0] == {"show": "Blue Show", "kind": None}


# Interrupts, closed pipes, full disks


def test_ctrl_c_ends_it_quietly(environ: dict[str, str], save_gif: SaveGif) -> None:
    with subprocess.Popen(
        command("gif-analyzer", "identify", "--json", save_gif("red.gif", "red"), "-"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environ,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()  # the first file is answered, so it is at standard input or will be soon
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == b""


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_closed_pipe_is_silent(environ: dict[str, str], save_gif: SaveGif, options: list[str]) -> None:
    red = str(save_gif("red.gif", "red"))
    with subprocess.Popen(
        command("gif-analyzer", "identify", *options, *[red] * 3, "-", *[red] * 3),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environ,
    ) as process:
        assert process.stdout is not None and process.stdin is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        process.stdin.close()
        errors = process.stderr.read()
        process.wait(timeout=60)
    assert errors == b""
    assert process.returncode == 1


@pytest.mark.skipif(
    not Path("/dev/full").exists(),
    reason="This test needs the device /dev/full, which this system does not have.",
)
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_full_disk_is_one_clear_error(environ: dict[str, str], save_gif: SaveGif, options: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command("gif-analyzer", "identify", *options, save_gif("red.gif", "red")),
            stdout=full,
            stderr=subprocess.PIPE,
            env=environ,
            check=False,
            timeout=60,
        )

    assert done.returncode == 1
    assert done.stderr == b"gif-analyzer: cannot write the answer: no space left on device\n"
