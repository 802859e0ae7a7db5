"""Collects GIFs of shows: runs a provider's searches, downloads the results, and groups them.

Every response is in the journal before the next request, and every file is in its place before the journal
says so: after a run that ended at any instant, the next continues and requests nothing twice.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Self, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from services.errors import AnalyzerError, NotAGif
from services.files import replacing
from services.preprocess import Budget, decode_gif
from training.collect.collection import Collection, Entry, Refused
from training.collect.grouping import Fingerprint, fingerprint, group
from training.collect.journal import Contents, GifFile, Journal
from training.collect.providers import MAX_GIF_BYTES, Found, Gone, Provider, Search
from training.errors import ProviderUnavailable, TrainingError
from training.files import relative_path

T = TypeVar("T")

GIFS = "gifs"
MAX_STALE = 3  # pages in a row without a new GIF, after which a search has no more results
UNAVAILABLE = "UNAVAILABLE"
PENDING = "PENDING"


class Collector:
    """Collects from one provider into one folder.

    Args:
        provider: of the GIFs.
        out: folder of the collection, which exists.
        journal: of that folder.
        watch: shows progress.
        max_bytes: of one GIF.

    Attributes:
        failure: the error that ended the last run early; None where it finished.
    """

    def __init__(
        self, provider: Provider, out: Path, journal: Journal, *, watch: Watch, max_bytes: int = MAX_GIF_BYTES
    ) -> None:
        self._provider, self._out, self._journal, self._watch = provider, out, journal, watch
        self._budget = dataclasses.replace(Budget(), max_bytes=max_bytes)
        # GIFs that this run could not get, but a later one may: reason and message by id
        self._unavailable: dict[str, tuple[str, str]] = {}
        self.failure: TrainingError | None = None

    def run(self) -> Collection:
        """Search, fetch and group everything that is not there yet.

        An error of the provider does not lose what was collected before; it is kept in `failure`.

        Raises:
            InvalidCollection: the provider has nothing to search.
        """
        self.failure = None
        self._unavailable.clear()
        searches = self._provider.searches()
        if self._provider.folder is None:
            self._prepare_folder()
        else:
            self._journal.forget()
        searching = fetching = True
        for show, of_show in _by_show(searches).items():
            for search in of_show if searching else ():
                searching = self._try(self._search, search)
            wanted = self._wanted(of_show)
            for number, found in enumerate(wanted):
                self._watch.show(show, done=number, total=len(wanted), remark="GIFs")
                fetching = fetching and self._try(self._fetch, found)
            self._watch.show(show, done=len(wanted), total=len(wanted), remark="GIFs")
        return self._assemble(searches)

    def _try(self, work: Callable[[T], None], subject: T) -> bool:
        """Do some work; returns False where no more of its kind can be done now."""
        try:
            work(subject)
        except TrainingError as error:
            self.failure = self.failure or error
            return False
        return True

    def _prepare_folder(self) -> None:
        """Make the folder of GIFs, which git ignores; remove files that a killed run left unfinished."""
        folder = self._out / GIFS
        folder.mkdir(exist_ok=True)
        ignore = folder / ".gitignore"
        ignore.write_text("*\n", encoding="utf-8")
        for partial in folder.rglob(".*"):
            if partial != ignore:
                partial.unlink()

    def _search(self, search: Search) -> None:
        """Request pages until there are enough results, or no more."""
        while True:
            progress = self._journal.progress(search)
            enough = bool(search.results) and progress.found >= search.results
            if progress.cursor is None or enough or progress.stale >= MAX_STALE:
                return
            self._watch.show(
                search.show,
                done=min(progress.found, search.results or progress.found),
                total=search.results,
                remark=f"results of {search.query!r}" if search.query else "",
            )
            page = self._provider.search(search, progress.cursor)
            if page.attempts:
                if not progress.found:  # otherwise it may well be the end
                    name, why = self._provider.name.title(), f"its page for {search.query!r} is empty"
                    self.failure = self.failure or ProviderUnavailable(name, why, attempts=page.attempts)
                return
            self._journal.add_page(search, progress.cursor, page)

    def _wanted(self, searches: Iterable[Search]) -> tuple[Found, ...]:
        """Return what the searches of one show found, each GIF once, in order."""
        wanted: dict[str, Found] = {}
        for search in searches:
            for found in self._journal.found(search)[: search.results or None]:
                wanted.setdefault(found.id, found)
        return tuple(wanted.values())

    def _fetch(self, found: Found) -> None:
        """Fetch and decode one GIF, unless the journal already has it or its error."""
        if self._journal.file(found.id) or self._journal.refused(found.id):
            return
        try:
            if self._provider.folder is None:
                file, contents = self._download(found)
            else:
                gif = self._provider.fetch(found)
                file = GifFile(hashlib.sha256(gif).hexdigest(), found.media, len(gif))
                contents = self._journal.contents(file.sha256) or self._decode(gif)[0]
        except Gone as gone:
            if gone.forever:
                self._journal.refuse(found.id, UNAVAILABLE, gone.why)
            else:
                self._unavailable[found.id] = UNAVAILABLE, gone.why
        except NotAGif as error:  # probably an error page during an outage: the next run tries again
            self._unavailable[found.id] = error.reason, error.message
        except AnalyzerError as error:
            self._journal.refuse(found.id, error.reason, error.message)
        else:
            self._journal.keep(found.id, file, contents)

    def _download(self, found: Found) -> tuple[GifFile, Contents]:
        """Download one GIF into its file, which is named by its format."""
        name = f"{GIFS}/{_slug(found.show)}/{self._provider.name}-{found.id}"
        # A run that was killed between the file and the journal left a complete file.
        whole = next(self._out.glob(f"{name}.*"), None)
        gif = whole.read_bytes() if whole else self._provider.fetch(found)
        contents, format_ = self._decode(gif)
        place = whole or self._out / f"{name}.{format_}"
        if not whole:
            place.parent.mkdir(exist_ok=True)
            with replacing(place) as partial:
                partial.write_bytes(gif)
        path = place.relative_to(self._out).as_posix()
        return GifFile(hashlib.sha256(gif).hexdigest(), path, len(gif)), contents

    def _decode(self, gif: bytes) -> tuple[Contents, str]:
        """Decode a GIF; returns what was found, and its format."""
        clip = decode_gif(gif, budget=self._budget)
        source = clip.source
        assert source is not None  # decode_gif sets it
        contents = Contents(source.width, source.height, source.frame_count, fingerprint(clip).to_bytes())
        return contents, source.format

    def _assemble(self, searches: Sequence[Search]) -> Collection:
        """Return the collection that the journal describes, grouped."""
        entries: list[Entry] = []
        prints: list[Fingerprint] = []
        refused: list[Refused] = []
        for of_show in _by_show(searches).values():
            for found in self._wanted(of_show):
                made = self._entry(found)
                if isinstance(made, Refused):
                    refused.append(made)
                else:
                    entries.append(made[0])
                    prints.append(made[1])
        kept, under_two_shows = group(entries, prints)
        return Collection(
            entries=tuple(sorted(kept, key=lambda entry: (entry.show, entry.id))),
            set_aside=tuple(sorted((*refused, *under_two_shows), key=lambda each: (each.show, each.id))),
            left_out=sum(self._journal.progress(search).left_out for search in searches),
        )

    def _entry(self, found: Found) -> tuple[Entry, Fingerprint] | Refused:
        id_ = f"{self._provider.name}:{found.id}"
        file = self._journal.file(found.id)
        contents = self._journal.contents(file.sha256) if file else None
        if file is None or contents is None:
            unavailable = self._unavailable.get(found.id, (PENDING, "it was not fetched yet"))
            return Refused(id_, found.show, found.address, *(self._journal.refused(found.id) or unavailable))
        hashes = Fingerprint.from_bytes(contents.fingerprint)
        folder = self._provider.folder
        entry = Entry(
            path=file.path if folder is None else relative_path(folder / file.path, self._out),
            id=id_,
            show=found.show,
            query=found.query,
            address=found.address,
            username=found.username,
            title=found.title,
            sha256=file.sha256,
            perceptual_hash=str(hashes),
            group=id_,
            source=f"{self._provider.name}:{found.username}" if found.username else "",
            size_bytes=file.size_bytes,
            width=contents.width,
            height=contents.height,
            frames=contents.frames,
        )
        return entry, hashes


class Watch:
    """Shows progress by show, and counts down waits; a context manager.

    Args:
        console: to write to; None is silent.
    """

    def __init__(self, console: Console | None) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[remark]}"),
            TimeElapsedColumn(),
            console=console,
            disable=console is None or not console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, name: str, *, done: int, total: int, remark: str = "") -> None:
        """Update the progress of one show."""
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, remark="")
        self._progress.update(self._tasks[name], completed=done, total=total, remark=remark)

    def wait(self, seconds: float, *, why: str) -> None:
        """Sleep, and show a countdown; without a terminal, print one line."""
        end = time.monotonic() + seconds
        if self._console is not None and not self._console.is_terminal:
            self._console.print(f"{why}: going on in {_clock(seconds)}")
        task = self._progress.add_task(why, total=math.ceil(seconds), remark="")
        try:
            while (left := end - time.monotonic()) > 0:
                self._progress.update(task, completed=seconds - left, remark=f"going on in {_clock(left)}")
                time.sleep(min(left, 1.0))
        finally:
            self._progress.remove_task(task)


def _clock(seconds: float) -> str:
    """Minutes and seconds, rounded up: 2:05."""
    minutes, rest = divmod(math.ceil(seconds), 60)
    return f"{minutes}:{rest:02d}"


def _by_show(searches: Iterable[Search]) -> dict[str, list[Search]]:
    shows: dict[str, list[Search]] = defaultdict(list)
    for search in searches:
        shows[search.show].append(search)
    return shows


def _slug(show: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", show.lower()).strip("-") or "show"
