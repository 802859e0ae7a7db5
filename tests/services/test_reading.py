from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from services.reading import MAX_LINE, bounded_lines, parse_json, read_json, read_text


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"12345678901", "more than 10 bytes"),
        (b"\xff\xfe", "not UTF-8"),
        (b"a\0b", "NUL"),
    ],
)
def test_a_file_that_is_no_short_text_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)

    with pytest.raises(ValueError, match=why):
        read_text(path, most=10)


def test_text_may_be_as_long_as_the_limit_and_begin_with_a_mark(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes("\ufeffséries".encode())

    assert read_text(path, most=10) == "séries"


def test_a_device_without_an_end_is_refused_at_the_limit() -> None:
    with pytest.raises(ValueError, match="more than 1,000 bytes"):
        read_text(Path("/dev/zero"), most=1_000)


def test_a_sparse_file_of_gigabytes_is_refused_at_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    path.touch()
    os.truncate(path, 2**31)

    with pytest.raises(ValueError, match="more than 100,000,000 bytes"):
        read_json(path)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '"\\ud800"', "1" * 5_000])
def test_what_is_no_json_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_json(text)


def test_pairs_of_surrogates_are_text_and_a_file_has_no_nan(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_text("[NaN]")

    assert parse_json('["\\ud83d\\ude00", NaN]')[0] == "\N{GRINNING FACE}"
    with pytest.raises(ValueError, match="NaN is no number"):
        read_json(path)


def test_lines_are_bounded_and_the_long_one_is_named() -> None:
    assert list(bounded_lines(io.StringIO("a\nb"))) == ["a\n", "b"]
    with pytest.raises(ValueError, match="line 2 has more than"):
        list(bounded_lines(io.StringIO("a\n" + "b" * (MAX_LINE + 1))))
