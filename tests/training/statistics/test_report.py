from dataclasses import dataclass

import numpy as np
import pytest

from training.statistics.report import Column, Result, Table, decimal, to_plain

TABLE = Table(
    "Shows",
    (Column("show", numeric=False), Column("clips")),
    (("The [bold]Office[/bold]", "3"), ("Tom | Jerry", "12")),
    "A note.",
)


@dataclass(frozen=True)
class Sample(Result):
    share: float
    counts: tuple[int, ...]

    def tables(self) -> tuple[Table, ...]:
        return (TABLE, TABLE)


def test_markdown_keeps_every_character_of_a_cell() -> None:
    assert TABLE.markdown() == (
        "**Shows**\n\n"
        "| show | clips |\n"
        "|---|---:|\n"
        "| The \\[bold\\]Office\\[/bold\\] | 3 |\n"
        "| Tom \\| Jerry | 12 |\n"
        "\n"
        "A note.\n"
    )


def test_numbers_that_json_does_not_know_become_none() -> None:
    assert Sample(float("nan"), (1, 2)).to_json() == {"share": None, "counts": [1, 2]}
    assert to_plain({"a": np.array([1.0, np.inf]), "b": np.int64(3)}) == {"a": [1.0, None], "b": 3}
    with pytest.raises(TypeError, match="no JSON form for object"):
        to_plain(object())


def test_a_row_must_fit_its_headings() -> None:
    with pytest.raises(ValueError, match="1 cells under 2 headings"):
        Table("Shows", TABLE.columns, (("alone",),))


def test_a_missing_number_is_written_as_a_dash() -> None:
    assert decimal(float("nan")) == "-"
    assert decimal(0.12345) == "0.123"
