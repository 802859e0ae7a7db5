"""Model cards: what a model is for and how good it is.

`gif-train all` writes an HTML page, which loads nothing from other addresses, and a card in Markdown in the
form of the Hugging Face Hub (https://huggingface.co/docs/hub/model-cards). Neither shows footage. The figures
are of answers by models that had not learned from the clip's source, as with new GIFs.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from services.files import write_text
from services.inference import Classifier
from services.reading import read_json
from training.data.clips import Clips
from training.errors import InvalidOptions, InvalidRun, SplitImpossible
from training.evaluation.levels import LevelReport, level_table, measure_known_and_others, verdicts_in_folds
from training.fit.crossvalidate import PLAIN, HeldOut
from training.fit.operating import Operating
from training.registry.hub import read_card
from training.statistics.calibration import CalibrationReport, measure_calibration
from training.statistics.estimate import Bootstrap
from training.statistics.metrics import AccuracyReport, measure_accuracy
from training.statistics.plots import plot_confusion, plot_shows
from training.statistics.report import to_plain

FEW_GIFS = 20  # of a show: with fewer it is often taken for another
FEW_SOURCES = 3  # of a show: with fewer a model learns who made its GIFs
PLOTS = {
    "shows.png": ("recall by show", plot_shows),
    "confusion.png": ("shows taken for others", plot_confusion),
}


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

    @property
    def summary(self) -> str:
        """How often it is right, in two sentences."""
        first, named = self.accuracy.top(1), self.levels[0].levels[0]
        right = f", and is then right for {named.right.value:.0%}" if named.right else ""
        return (
            f"Of {self.accuracy.clips:,} GIFs, each answered by a model that had not seen its source,"
            f" the first show is right for {first.value:.0%} (95 % interval {first.low:.0%} to"
            f" {first.high:.0%}). It names one show for {named.share.value:.0%}{right}."
        )

    def write(self, model: Path, page: Path, card: Path) -> None:
        """Write the page, the card in Markdown, and beside that its plots.

        Args:
            model: the exported file.
            page: HTML file.
            card: Markdown file, whose front matter keeps what others wrote into it.
        """
        tables = [level_table(self.levels), *self.accuracy.tables(), *self.calibration.tables()[:1]]
        pictures, links = [], []
        for name, (alt, plot) in PLOTS.items():
            file = card.with_name(name)
            plot(self.accuracy, file)
            data = base64.b64encode(file.read_bytes()).decode()
            pictures.append(f'<img alt="{alt}" src="data:image/png;base64,{data}">')
            links.append(f"![{alt}]({name})\n")
        warnings = "".join(f"<li>{escape(warning)}</li>" for warning in self.warnings)
        text = _PAGE.format(
            name=escape(self.name),
            summary=self.summary,
            warnings=f"<h2>Beware</h2><ul>{warnings}</ul>" if warnings else "",
            tables="\n".join(table.html() for table in tables),
            pictures="\n".join(pictures),
        )
        write_text(page, text)
        beware = "".join(f"- {warning}\n" for warning in self.warnings)
        parts = [
            f"# {self.name}",
            "Tells which TV show an animated GIF came from, with GIF Analyzer: `gif-analyzer --model "
            f"{self.name} some.gif`.",
            self.summary,
            *(["## Beware", beware] if beware else []),
            "## Figures",
            *(table.markdown() for table in tables),
            *links,
        ]
        write_card(card, model, to_plain(self.accuracy), "\n\n".join(part.strip() for part in parts) + "\n")


def write_card(path: Path, model: Path, measured: Mapping[str, Any], text: str | None = None) -> None:
    """Write a card with the front matter of a model: its version, and its figures as `model-index`.

    Other keys that the front matter has already, such as `license`, stay as they are.

    Args:
        path: of the card, whose folder exists.
        model: ONNX file.
        measured: figures of an `AccuracyReport`, or of a system in a comparison, as JSON.
        text: what stands below the front matter; by default what is there.

    Raises:
        InvalidCard: there is a card that cannot be read, or none although `text` is not given.
        ModelError: gif-analyzer cannot use the model.
    """
    import yaml  # noqa: PLC0415 - comes with MLflow

    front, found = read_card(path) if text is None or path.exists() else ({}, "")
    written = yaml.safe_dump(
        {**front, **_front_matter(model, measured)},
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=None,
        width=100,
    )
    write_text(path, f"---\n{written}---\n{found if text is None else text}")


def measured_in(evaluation: Path, system: str = "") -> dict[str, Any]:
    """Return the figures of a system in evaluation.json, for `write_card`.

    Args:
        evaluation: file of `gif-train evaluate`.
        system: its name; "" for the chosen recipe.

    Raises:
        InvalidRun: the file is not that of an evaluation.
        InvalidOptions: it has no such system.
    """
    try:
        found = read_json(evaluation)
        systems = {each["name"]: each for each in found["comparison"]["systems"]}
        chosen = found["accuracy"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidRun(str(evaluation), "it is not the evaluation.json of gif-train evaluate") from error
    if not system:
        return dict(chosen)
    if system not in systems:
        raise InvalidOptions("system", expected=f"one of {', '.join(systems)}", found=system)
    return {**systems[system], "clips": found["comparison"]["clips"]}


def _front_matter(model: Path, measured: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the Hub reads: https://huggingface.co/docs/hub/model-cards#model-card-metadata."""
    classifier = Classifier(model)
    figures = [
        *(("accuracy", f"top-{each['k']} accuracy", each["accuracy"]) for each in measured["top_k"]),
        ("f1", "macro-F1", measured["macro_f1"]),
        ("recall", "mean recall of the shows", measured["mean_of_shows"]),
    ]
    results = {
        "task": {"type": "video-classification", "name": "TV show of an animated GIF"},
        "dataset": {
            "type": "gifs-by-show",
            "name": f"{measured['clips']:,} GIFs, each answered by a model that had not seen its source",
        },
        "metrics": [
            {"type": kind, "name": name, "value": round(figure["value"], 3), **_interval(figure)}
            for kind, name, figure in figures
        ],
    }
    return {
        "version": classifier.model.version,
        "library_name": "onnx",
        "pipeline_tag": "video-classification",
        "tags": ["gif", "onnx"],
        "metrics": ["accuracy", "f1", "recall"],
        "model-index": [{"name": classifier.model.name, "results": [results]}],
    }


def _interval(figure: Mapping[str, Any]) -> dict[str, Any]:
    if figure["low"] is None:
        return {}
    return {"args": {"interval_95": [round(figure["low"], 3), round(figure["high"], 3)]}}


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
