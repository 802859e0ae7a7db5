"""GIFs of shows, gathered: **a provider** -> searches -> files, fingerprints, groups -> **a collection**.

Every answer is in the journal before the next question is asked, and every file is in its place before the
journal says so: a run that ends at any instant is gone on with by the next, which asks nothing again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from services.errors import AnalyzerError, NotAGif
from services.preprocess import Budget, decode_gif
from training.collect.collection import Collection, Entry, Refused, in_order
from training.collect.fingerprint import Fingerprint, fingerprint
from training.collect.grouping import group
from training.collect.journal import Journal, Kept, Look
from training.collect.progress import Watch
from training.collect.providers import Found, Gone, Provider, Search
from training.errors import ProviderUnavailable, TrainingError
from training.files import replacing

T = TypeVar("T")

GIFS = "gifs"
MAX_STALE = 3  # pages in a row without anything new, after which a search has no more to give
UNAVAILABLE = "UNAVAILABLE"
PENDING = "PENDING"


class Collector:
    """Collects from one provider into one folder.

    Args:
        provider: of the GIFs.
        out: folder of the collection; it is there.
        journal: of that folder.
        watch: shows progress.
        max_bytes: of one GIF.

    Attributes:
        trouble: the error that ended the last run early; None where it came to its end.
    """

    def __init__(
        self, provider: Provider, out: Path, journal: Journal, *, watch: Watch, max_bytes: int = 8_000_000
    ) -> None:
        self._provider, self._out, self._journal, self._watch = provider, out, journal, watch
        self._budget = dataclasses.replace(Budget(), max_bytes=max_bytes)
        # GIFs that could not be had this time: reason and message
        self._passing: dict[str, tuple[str, str]] = {}
        self.trouble: TrainingError | None = None

    def run(self) -> Collection:
        """Ask, fetch and group all that is not there yet.

        An error of the provider does not lose what was collected before: it is left in `trouble`.

        Raises:
            InvalidCollection: the provider has nothing to search in.
        """
        self.trouble = None
        self._passing.clear()
        searches = self._provider.searches()
        if self._provider.folder is not None:
            self._journal.forget()
        self._prepare()
        asking = fetching = True
        for show, of_show in _by_show(searches).items():
            for search in of_show if asking else ():
                asking = self._try(self._ask, search)
            wanted = self._wanted(of_show)
            for number, found in enumerate(wanted):
                self._watch.show(show, done=number, total=len(wanted), remark="GIFs")
                fetching = fetching and self._try(self._fetch, found)
            self._watch.show(show, done=len(wanted), total=len(wanted), remark="GIFs")
        return self._assemble(searches)

    def _try(self, work: Callable[[T], None], subject: T) -> bool:
        """Do it; False where nothing of the kind can be done for now."""
        try:
            work(subject)
        except TrainingError as error:
            self.trouble = self.trouble or error
            return False
        return True

    def _prepare(self) -> None:
        """Make the folder of GIFs, one that nobody commits; remove what a killed run left half written."""
        folder = self._out / GIFS
        if self._provider.folder is not None:
            return
        folder.mkdir(exist_ok=True)
        (folder / ".gitignore").write_text("*\n", encoding="utf-8")
        for partial in folder.rglob(".*.gif"):
            partial.unlink()

    def _ask(self, search: Search) -> None:
        """Ask for pages until there are results enough, or no more."""
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
                if not progress.found:  # else it may well be the end
                    name, why = self._provider.name.title(), f"its page for {search.query!r} is empty"
                    self.trouble = self.trouble or ProviderUnavailable(name, why, attempts=page.attempts)
                return
            self._journal.add_page(search, progress.cursor, page)

    def _wanted(self, searches: Iterable[Search]) -> tuple[Found, ...]:
        """What the searches of one show found, each GIF once, in their order."""
        wanted: dict[str, Found] = {}
        for search in searches:
            for found in self._journal.found(search)[: search.results or None]:
                wanted.setdefault(found.id, found)
        return tuple(wanted.values())

    def _fetch(self, found: Found) -> None:
        """Bring one GIF here and look at it, unless that was done; one that cannot be used is remembered."""
        if self._journal.kept(found.id) or self._journal.refused(found.id):
            return
        folder = self._provider.folder
        path = (
            f"{GIFS}/{_slug(found.show)}/{self._provider.name}-{found.id}.gif"
            if folder is None
            else found.media
        )
        place = (folder or self._out) / path
        try:
            # A run that was killed between the file and the journal left the file, whole.
            gif = place.read_bytes() if folder is None and place.exists() else self._provider.fetch(found)
            digest = hashlib.sha256(gif).hexdigest()
            look = self._journal.look(digest) or _look(gif, self._budget)
        except Gone as gone:
            if gone.forever:
                self._journal.refuse(found.id, UNAVAILABLE, gone.why)
            else:
                self._passing[found.id] = UNAVAILABLE, gone.why
        except NotAGif as error:  # a page of a host in trouble, as likely as not: the next run asks again
            self._passing[found.id] = error.reason, error.message
        except AnalyzerError as error:
            self._journal.refuse(found.id, error.reason, error.message)
        else:
            if folder is None and not place.exists():
                place.parent.mkdir(exist_ok=True)
                with replacing(place) as partial:
                    partial.write_bytes(gif)
            self._journal.keep(found.id, Kept(digest, path, len(gif)), look)

    def _assemble(self, searches: Sequence[Search]) -> Collection:
        """The collection as the journal has it, grouped."""
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
        kept, twice = group(entries, prints)
        left_out = sum(self._journal.progress(search).left_out for search in searches)
        refused += twice
        return Collection(
            in_order(kept), tuple(sorted(refused, key=lambda each: (each.show, each.id))), left_out
        )

    def _entry(self, found: Found) -> tuple[Entry, Fingerprint] | Refused:
        id_ = f"{self._provider.name}:{found.id}"
        kept = self._journal.kept(found.id)
        look = self._journal.look(kept.sha256) if kept else None
        if kept is None or look is None:
            reason = self._passing.get(found.id) or (PENDING, "it was not fetched yet")
            return Refused(id_, found.show, found.address, *(self._journal.refused(found.id) or reason))
        seen = Fingerprint.from_bytes(look.fingerprint)
        path = Path(kept.path)
        if self._provider.folder is not None:
            path = Path(os.path.relpath(self._provider.folder / path, self._out))
        entry = Entry(
            path=path.as_posix(),
            id=id_,
            show=found.show,
            query=found.query,
            address=found.address,
            username=found.username,
            title=found.title,
            sha256=kept.sha256,
            perceptual_hash=str(seen),
            group=id_,
            source=f"{self._provider.name}:{found.username}" if found.username else "",
            size_bytes=kept.size_bytes,
            width=look.width,
            height=look.height,
            frames=look.frames,
        )
        return entry, seen


def _look(gif: bytes, budget: Budget) -> Look:
    clip = decode_gif(gif, budget=budget)
    source = clip.source
    assert source is not None  # a clip made of a GIF says of which
    return Look(source.width, source.height, source.frames, fingerprint(clip).to_bytes())


def _by_show(searches: Iterable[Search]) -> dict[str, list[Search]]:
    shows: dict[str, list[Search]] = defaultdict(list)
    for search in searches:
        shows[search.show].append(search)
    return dict(shows)


def _slug(show: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", show.lower()).strip("-") or "show"
