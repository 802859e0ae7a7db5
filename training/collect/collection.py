"""A collection of GIFs, and its files: manifest.csv, set-aside.csv and README.md.

The manifest has the columns that training reads (`training.data.manifest`), and more. The same collection
gives the same bytes, however often it was interrupted.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from services.files import write_text
from training.files import write_csv

MANIFEST = "manifest.csv"
SET_ASIDE = "set-aside.csv"
README = "README.md"


@dataclass(frozen=True)
class Entry:
    """One GIF of a collection: a line of its manifest.

    Attributes:
        path: of the file, relative to the manifest.
        id: name of the provider and the GIF's id there.
        show: title.
        query: words that found it; "" for none.
        address: of the page that shows it, or of the video that it was cut from.
        username: of its publisher; "" where unknown.
        title: as the provider has it.
        sha256: of the file, hexadecimal.
        perceptual_hash: of its ten sampled frames, see `training.collect.grouping.Fingerprint`.
        group: shared by GIFs of the same seconds.
        source: its publisher, for splits by source; "" where unknown.
        size_bytes: of the file.
        width: of the canvas, in pixels.
        height: of the canvas, in pixels.
        frames: their number.
        start_ms: where it begins in the video that it was cut from, in milliseconds; None for other GIFs.
    """

    path: str
    id: str
    show: str
    query: str
    address: str
    username: str
    title: str
    sha256: str
    perceptual_hash: str
    group: str
    source: str
    size_bytes: int
    width: int
    height: int
    frames: int
    start_ms: int | None = None


@dataclass(frozen=True)
class Refused:
    """One GIF that is not in the manifest.

    Attributes:
        id: name of the provider and the GIF's id there.
        show: title of the search that found it.
        address: of the page that shows it.
        reason: UPPER_SNAKE_CASE.
        message: for people.
    """

    id: str
    show: str
    address: str
    reason: str
    message: str


@dataclass(frozen=True)
class Collection:
    """The result of collecting.

    Attributes:
        entries: sorted by show and id.
        set_aside: sorted by show and id.
        left_out: number of results that are no GIFs to learn from, such as stickers.
    """

    entries: tuple[Entry, ...]
    set_aside: tuple[Refused, ...]
    left_out: int = 0

    @property
    def groups(self) -> int:
        """The number of different scenes, as far as they are recognised."""
        return len({entry.group for entry in self.entries})

    def write(self, out: Path, *, terms: str = "") -> None:
        """Write the manifest, the list of what was set aside, and a README with the provider's terms."""
        write_table(out / MANIFEST, Entry, self.entries)
        write_table(out / SET_ASIDE, Refused, self.set_aside)
        text = _README.format(
            gifs=len(self.entries), groups=self.groups, terms=f"{terms}\n\n" if terms else ""
        )
        write_text(out / README, text)


_README = """# A collection of GIFs

{terms}The GIFs belong to those who made them. They are here to train and to test a model on this machine: do
not publish them, and do not commit them. The manifest holds addresses, digests and labels, and no picture.

- `manifest.csv`: {gifs} GIFs in {groups} groups. GIFs of one group show the same seconds: never split them.
- `set-aside.csv`: what was found and cannot be used, with the reason.

Made by `gif-train collect` of GIF Analyzer.
"""


def write_table(
    path: Path, kind: type[Entry] | type[Refused], rows: Iterable[Entry] | Iterable[Refused]
) -> None:
    """Write rows as CSV, with the names of their fields as columns."""
    write_csv(path, [field.name for field in dataclasses.fields(kind)], map(dataclasses.astuple, rows))
