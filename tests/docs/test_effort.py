"""What docs/effort.md says of early exit, held to what was measured."""

from __future__ import annotations

import json
import re

from tests.support.paths import ROOT
from training.fit.operating import read_rule

TEXT = (ROOT / "docs" / "effort.md").read_text("utf-8")
EFFORT = ROOT / "docs" / "evaluation" / "effort.json"


def test_the_table_is_what_was_measured() -> None:
    measured = json.loads(EFFORT.read_text("utf-8"))
    rows = re.findall(r"^\| (of known shows|of other things|all) \|(.*)\|$", TEXT, re.MULTILINE)

    assert len(rows) == len(measured["followed"])
    for (clips, cells), found in zip(rows, measured["followed"], strict=True):
        stopped, frames, saved, changed = (
            found[key]["value"] for key in ("stopped", "frames", "saved", "changed")
        )
        assert clips == found["clips"]
        assert [cell.strip() for cell in cells.split("|")] == [
            f"{stopped:.1%}".replace("%", " %"),
            f"{frames:.1f}",
            f"{saved:.1%}".replace("%", " %"),
            f"{changed:.1%}".replace("%", " %"),
        ]
    assert f"{measured['accuracy']['value']:.3f}" in TEXT
    [within] = re.findall(r"to within (0\.\d+)", TEXT)
    assert max(abs(measured["change"][end]) for end in ("low", "high")) < float(within) + 0.0005


def test_the_rule_is_the_one_that_was_found() -> None:
    rule = read_rule(EFFORT)

    *first, last = rule.frames
    assert f"Frames {', '.join(map(str, first))} and {last} of 0 to 9" in TEXT
    assert f"a probability of {rule.threshold:.4f} on" in TEXT
