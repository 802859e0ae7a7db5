"""The model card of `gif-train all`: one HTML page with the figures of a model.

The figures are of answers by models that had not learned from the clip's source, as with new GIFs. The page
loads nothing from other addresses and shows no footage.
"""

from __future__ import annotations

import base64
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

from services.files import write_text
from training.data.clips import Clips
from training.errors import SplitImpossible
from training.evaluation.levels import LevelReport, level_table, measure_known_and_others, verdicts_in_folds
from training.fit.crossvalidate import PLAIN, HeldOut
from training.fit.operating import Operating
from training.statistics.calibration import CalibrationReport, measure_calibration
from training.statistics.estimate import Bootstrap
from training.statistics.metrics import AccuracyReport, measure_accuracy
from training.statistics.plots import plot_confusion, plot_shows

FEW_GIFS = 20  # of a show: with fewer it is often taken for another
FEW_SOURCES = 3  # of a show: with fewer a model learns who made its GIFs


@dataclass(frozen=True)
class Card:
    """The content of the page.

    Attributes:
        name: of the model file.
        accuracy: on held-out clips of the shows.
        calibration: of the same answers.
        levels: of answers to these clips, and to GIFs of other things.
        warnings: what its user must know, a sentence each.
    """

    name: str
    accuracy: AccuracyReport
    calibration: CalibrationReport
    levels: tuple[LevelReport, ...]
    warnings: tuple[str, ...]

    def write(self, path: Path) -> None:
        """Write the page, whole or not at all."""
        tables = [level_table(self.levels), *self.accuracy.tables()]
        warnings = "".join(f"<li>{escape(warning)}</li>" for warning in self.warnings)
        plots = {"recall by show": plot_shows, "which show is taken for which": plot_confusion}
        pictures = []
        with tempfile.TemporaryDirectory() as folder:
            for alt, plot in plots.items():
                file = Path(folder) / "plot.png"
                plot(self.accuracy, file)
                data = base64.b64encode(file.read_bytes()).decode()
                pictures.append(f'<img alt="{alt}" src="data:image/png;base64,{data}">')
        best = self.accuracy.top(1)
        judged = f"{self.accuracy.clips:,} GIFs, each by a model that had not seen its source"
        text = _PAGE.format(
            name=escape(self.name),
            summary=f"Of {judged}, {best.value:.0%} are named right (95 % interval {best.low:.0%} to"
            f" {best.high:.0%}). Its own probabilities expect {self.calibration.confidence:.0%}.",
            warnings=f"<h2>Beware</h2><ul>{warnings}</ul>" if warnings else "",
            tables="\n".join(table.html() for table in tables),
            pictures="\n".join(pictures),
        )
        write_text(path, text)


def make_card(name: str, clips: Clips, found: HeldOut, operating: Operating) -> Card:
    """Compute the figures.

    Args:
        name: of the model file.
        clips: that were learned from.
        found: answers to them by models that had not learned from their source.
        operating: temperature and thresholds of the model.

    Raises:
        SplitImpossible: no clip can be judged, because every show has only one source.
    """
    shows, others = clips.shows, found.labels == len(clips.shows)
    fair = found.learnable & ~others
    if not fair.any():
        raise SplitImpossible("no show has clips of two sources, so nothing can be tested fairly")
    probabilities = operating.probabilities(found.of_clips()[fair], len(shows))
    groups = np.array([row.group for row in clips.rows])
    sources = np.array([row.source for row in clips.rows])
    used = np.flatnonzero(fair | others)
    judged = HeldOut(
        found.fold[used], found.labels[used], found.learnable[used], {PLAIN: found.logits[PLAIN][used]}
    )
    verdicts, _ = verdicts_in_folds(judged, shows, clips.kinds)
    levels = measure_known_and_others(
        ("GIFs of the shows", "GIFs of other things"),
        verdicts,
        [None if clips.rows[index].other else clips.rows[index].show for index in used],
        clips.kinds,
        groups=sources[used],
        bootstrap=Bootstrap(),
    )
    return Card(
        name,
        measure_accuracy(probabilities, found.labels[fair], shows, groups=groups[fair]),
        measure_calibration(probabilities, found.labels[fair]),
        tuple(levels),
        weaknesses(clips),
    )


def weaknesses(clips: Clips) -> tuple[str, ...]:
    """Warn of shows with too few GIFs or sources, and of clips without other things."""
    rows = [row for row in clips.rows if not row.other]
    gifs = Counter(row.show for row in rows)
    sources = {show: len({row.source for row in rows if row.show == show}) for show in clips.shows}
    warnings = [
        *_few(clips.shows, gifs, FEW_GIFS, "GIF", "it will often be taken for another"),
        *_few(clips.shows, sources, FEW_SOURCES, "source", "what is learned may be who made its GIFs"),
    ]
    if len(rows) == len(clips.rows):
        warnings.append(
            "It learned from no GIFs of other things: it takes nearly every GIF for one of its shows."
        )
    return tuple(warnings)


def _few(shows: Sequence[str], counts: dict[str, int], least: int, what: str, so: str) -> list[str]:
    return [
        f"{show} has {counts[show]} {what}{'' if counts[show] == 1 else 's'}, fewer than {least}: {so}."
        for show in shows
        if counts[show] < least
    ]


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{name}: model card</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }}
body {{ margin: 0 auto; max-width: 60rem; padding: 1rem }}
table {{ border-collapse: collapse; display: block; overflow-x: auto }}
th, td {{ padding: .25rem .75rem; text-align: left; border-bottom: 1px solid #8886 }}
img {{ max-width: 100%; background: #fff }}
</style></head>
<body><main><h1>{name}</h1>
<p>{summary}</p>
<p>Use it: <code>gif-analyzer --model {name} some.gif</code></p>
{warnings}
{tables}
{pictures}
</main></body></html>
"""
