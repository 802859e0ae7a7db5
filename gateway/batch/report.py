"""Writes the report of a batch: one HTML file with the GIFs of each show that the model is least sure of.

The file loads nothing. The other GIFs are only counted; their rows are in the output.
"""

from __future__ import annotations

import base64
import heapq
import io
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import pyarrow as pa
from PIL import Image

from gateway.answer import JsonObject
from gateway.fetch.address import is_address
from gateway.files import read_gif
from services.errors import AnalyzerError, InvalidArgument
from services.names import name_from_text, name_text
from services.preprocess import Budget, decode_gif

MOST = 100  # GIFs that a section shows
HEIGHT = 96  # pixels of a picture; it is at most twice as wide
_QUALITY = 70  # of JPEG, 0..100: some 4 kB a picture

# Sections in their order; those of the shows, by title, come before the last one.
_LEVELS = {"one_of": "One of several shows", "kind": "Only the kind of picture", "unknown": "Unknown"}
_SHOW, _FAILED = len(_LEVELS), len(_LEVELS) + 1


@dataclass
class _Section:
    """GIFs with the same verdict."""

    count: int = 0
    # A heap of the MOST least sure: minus the probability, a number that breaks ties, the row.
    doubtful: list[tuple[float, int, JsonObject]] = field(default_factory=list)


class Report:
    """Collects the rows that the page needs while the output is written; draws GIFs within a budget."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._sections: dict[tuple[int, str], _Section] = {}  # by their place and title
        self._numbers = itertools.count()

    def write_table(self, table: pa.Table) -> None:
        """Collect rows of an output."""
        for row in table.to_pylist():
            if row["error_reason"] is not None:
                key = _FAILED, "Could not be read"
            elif row["verdict"] == "show":
                key = _SHOW, row["show"]
            else:
                key = list(_LEVELS).index(row["verdict"]), _LEVELS[row["verdict"]]
            section = self._sections.setdefault(key, _Section())
            section.count += 1
            entry = (-(row["probability"] or 0.0), next(self._numbers), row)
            if len(section.doubtful) < MOST:
                heapq.heappush(section.doubtful, entry)
            else:
                heapq.heappushpop(section.doubtful, entry)

    def page(self, out: Path) -> Iterator[str]:
        """Yield the page in pieces."""
        sections = sorted(self._sections.items(), key=lambda item: item[0])
        failed = sum(section.count for (place, _), section in sections if place == _FAILED)
        answered = sum(section.count for _, section in sections) - failed
        summary = f"{answered:,} GIFs were answered{f', {failed:,} could not be read' if failed else ''}."
        yield _HEAD.format(name=escape(out.name), summary=summary)
        yield "<nav><ul>"
        for number, ((_, title), section) in enumerate(sections):
            yield f'<li><a href="#s{number}">{escape(title)}</a> {section.count:,}</li>'
        yield "</ul></nav>\n"
        for number, ((place, title), section) in enumerate(sections):
            yield f'<section id="s{number}"><h2>{escape(title)} <small>{section.count:,}</small></h2>\n'
            draw, kind = (self._line, "lines") if place == _FAILED else (self._card, "cards")
            yield f"<ul class={kind}>"
            for *_, row in sorted(section.doubtful, reverse=True, key=lambda entry: (entry[0], -entry[1])):
                yield draw(row)
            yield "</ul>\n"
            if section.count > len(section.doubtful):
                yield f"<p>{section.count - len(section.doubtful):,} more are in {escape(out.name)}.</p>\n"
            yield "</section>\n"
        yield "</main></body></html>\n"

    def _card(self, row: dict[str, Any]) -> str:
        guesses = "".join(
            f"<li><span>{escape(ranked['show'])}</span> <meter value={ranked['probability']:.3f}></meter>"
            f" {ranked['probability']:.0%}</li>"
            for ranked in row["shows"][:3]
        )
        text = f"<b>{escape(row['text'])}</b>{_name(row['source'])}"
        return f"<li>{self._picture(row)}{text}<ol>{guesses}</ol>{_evidence(row)}</li>\n"

    def _line(self, row: dict[str, Any]) -> str:
        return f"<li>{_name(row['source'])} {escape(row['error_message'])}</li>\n"

    def _picture(self, row: dict[str, Any]) -> str:
        """Return the frame with the surest vote for the answer; for a GIF at an address, a link to it.

        The page loads nothing from other hosts, and the bytes of a GIF that was fetched are gone by now.
        """
        if is_address(row["source"]):
            return f"<a class=picture{_href(row['source'])}>not on this machine</a>"
        try:
            gif = read_gif(name_from_text(row["source"]), max_bytes=self._budget.max_bytes, regular=True)
            clip = decode_gif(gif, budget=self._budget)
        except AnalyzerError:  # it was changed or removed since
            return "<div class=picture>not there any more</div>"
        vote = max(row["votes"], key=lambda vote: (vote["show"] == row["show"], vote["probability"]))
        frame = clip.frames[clip.timestamps_ms.index(vote["offset_ms"])]
        source = clip.source
        ratio = min(source.aspect_ratio, 2.0) if source else 1.0
        size = (max(round(HEIGHT * ratio), 1), HEIGHT)
        jpeg = io.BytesIO()
        Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR).save(jpeg, "JPEG", quality=_QUALITY)
        data = base64.b64encode(jpeg.getvalue()).decode()
        return f'<img alt="" width={size[0]} height={size[1]} src="data:image/jpeg;base64,{data}">'


def _evidence(row: dict[str, Any]) -> str:
    """Say what the library has of the same footage, or else what looks most similar."""
    for match in row["matches"][:1]:
        mirrored = ", mirrored" if match["mirrored"] else ""
        frames = f"{match['frame_count']} frame{'s' if match['frame_count'] > 1 else ''}{mirrored}"
        return f"<p>Same footage: {_known(match)}, {frames}</p>"
    for neighbour in row["neighbours"][:1]:
        return f"<p>Looks like: {_known(neighbour)}, {neighbour['similarity']:.2f}</p>"
    return ""


def _known(clip: dict[str, Any]) -> str:
    return f"<b>{escape(clip['show'])}</b>, {escape(clip['name'])}"


def _name(source: str) -> str:
    return f"<a class=name{_href(source)}>{escape(source)}</a>"


def _href(source: str) -> str:
    return f' href="{escape(source)}"' if source.startswith(("http://", "https://")) else ""


def check_report(path: Path) -> None:
    """Raise InvalidArgument unless the name ends in .html, in a folder that can be written to."""
    if path.suffix not in (".html", ".htm"):
        raise InvalidArgument("report", expected="a name that ends in .html", found=name_text(str(path)))
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise InvalidArgument(
            "report", expected="a file in a folder that can be written to", found=name_text(str(path))
        )


_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{name}: GIFs by show</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }}
body {{ margin: 0 auto; max-width: 72rem; padding: 1rem }}
h2 small {{ font-weight: normal }}
nav ul {{ display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; padding: 0; list-style: none }}
.cards {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 1rem;
  padding: 0 }}
.cards > li {{ list-style: none; border: 1px solid #8886; border-radius: .5rem; padding: .75rem;
  display: flex; flex-direction: column; overflow-wrap: anywhere }}
.cards img, .picture {{ height: 6rem; width: auto; align-self: flex-start; border-radius: .25rem }}
.picture {{ border: 1px dashed #888; padding: .5rem; box-sizing: border-box }}
.cards ol {{ margin: .5rem 0 0; padding: 0; list-style: none; font-size: .875rem }}
.cards ol li {{ display: flex; gap: .5rem; align-items: center }}
.cards ol span {{ flex: 1 }}
.cards meter {{ width: 4rem }}
.cards p {{ margin: .5rem 0 0; font-size: .875rem }}
.name {{ font-size: .875rem }}
</style></head>
<body><main><h1>GIFs by show</h1>
<p>{summary} Of each show, the GIFs that the model is least sure of come first.</p>
"""
