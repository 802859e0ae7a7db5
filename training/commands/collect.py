"""`gif-train collect`: **shows, or a folder of GIFs by show** -> GIFs and a manifest with groups."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from services.errors import os_reason
from services.terminal import Json, report
from training.collect.giphy.options import NAME, GiphyOptions
from training.collect.progress import Watch
from training.collect.providers import Folder, Provider
from training.collect.quota import Quota
from training.collect.shows import DEFAULT_SHOWS, read_shows
from training.commands.terminal import progress
from training.errors import InvalidCollection, InvalidOptions

KEY = "GIPHY_API_KEY"


def collect(
    *,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the GIFs and manifest.csv.")],
    shows: Annotated[
        Path, typer.Option(metavar="FILE", help="TOML file of titles and search words.")
    ] = DEFAULT_SHOWS,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="TITLE", help="Collect this show of the file; may be repeated."),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Take the GIFs of this folder, DIR/SHOW/*.gif, and ask nobody."),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait for the next calls when the hour's are used up.")
    ] = True,
    calls_per_hour: Annotated[
        int, typer.Option(metavar="N", help="Calls that the key allows.")
    ] = GiphyOptions.calls_per_hour,
    max_bytes: Annotated[int, typer.Option(metavar="N", help="Size of a GIF.")] = GiphyOptions.max_bytes,
    attempts: Annotated[int, typer.Option(metavar="N", help="Tries of one request.")] = GiphyOptions.attempts,
    timeout_s: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", help="For a part of an answer.")
    ] = GiphyOptions.timeout_s,
    backoff_s: Annotated[
        float, typer.Option("--backoff", metavar="SECONDS", help="First pause before another try.")
    ] = GiphyOptions.backoff_s,
    api: Annotated[str, typer.Option(metavar="ADDRESS", help="Of the API.")] = GiphyOptions.api,
    as_json: Json = False,
) -> None:
    """Collect GIFs of shows, group those that show the same seconds, and write a manifest.

    Giphy is asked with the key in GIPHY_API_KEY, within its limits; every answer is kept, and the same
    command goes on where an interrupted one was. GIFs under two shows are set aside. Powered by GIPHY: its
    terms hold, and what was collected is never published.

    Exit codes: 0 done, 1 the provider or the data failed, 2 usage, 75 the hour's calls are used up.

    **Examples**

        gif-train collect --out runs/shows

        gif-train collect --only Friends --only "Breaking Bad" --no-wait --out runs/two

        gif-train collect --folder my-gifs --out runs/mine
    """
    options = GiphyOptions(
        api=api,
        calls_per_hour=calls_per_hour,
        attempts=attempts,
        timeout_s=timeout_s,
        backoff_s=backoff_s,
        max_bytes=max_bytes,
    )
    chosen = read_shows(shows)
    if only:
        strangers = sorted(set(only) - {show.title for show in chosen})
        if strangers:
            raise InvalidOptions(
                "only", expected=f"of {', '.join(show.title for show in chosen)}", found=strangers[0]
            )
        chosen = tuple(show for show in chosen if show.title in only)
    if folder is not None:
        _run(
            lambda quota: Folder(folder, max_bytes=max_bytes),
            Folder.name,
            out,
            options,
            wait=wait,
            as_json=as_json,
        )
        return
    key = os.environ.get(KEY, "").strip()
    if not key:
        raise InvalidOptions(KEY, expected="your key of Giphy's API, in the environment", found="not set")
    from training.collect.giphy.client import Giphy  # noqa: PLC0415 - it brings httpx, which other commands need not

    _run(lambda quota: Giphy(key, chosen, quota, options), NAME, out, options, wait=wait, as_json=as_json)


def _run(
    provider_of: Callable[[Quota], Provider],
    name: str,
    out: Path,
    options: GiphyOptions,
    *,
    wait: bool,
    as_json: bool,
) -> None:
    from training.collect.collection import MANIFEST, SET_ASIDE, Collection  # noqa: PLC0415
    from training.collect.collector import Collector  # noqa: PLC0415 - it brings scipy, which --help need not
    from training.collect.journal import Journal  # noqa: PLC0415

    console = progress()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidCollection(str(out), f"it cannot be made: {os_reason(error)}") from error
    with Journal(out, name) as journal, Watch(console) as watch:

        def pause(seconds: float) -> None:
            watch.wait(seconds, why=f"{quota.used} of {quota.calls} calls of this hour are used")

        quota = Quota(name.title(), options.calls_per_hour, journal, wait=pause if wait else None)
        provider = provider_of(quota)
        if provider.terms:
            console.print(provider.terms, style="bold", highlight=False, soft_wrap=True)
        collector = Collector(provider, out, journal, watch=watch, max_bytes=options.max_bytes)
        collection: Collection = collector.run()
        collection.write(out, terms=provider.terms)
        calls = {"used": quota.used, "allowed": quota.calls} if provider.folder is None else None
    if not as_json:
        _print_table(collection)
    quota_text = f"; {calls['used']} of {calls['allowed']} calls of this hour are used" if calls else ""
    report(
        as_json,
        {
            "manifest": str(out / MANIFEST),
            "gifs": len(collection.entries),
            "groups": collection.groups,
            "set_aside": len(collection.set_aside),
            "left_out": collection.left_out,
            "shows": dict(Counter(entry.show for entry in collection.entries)),
            "reasons": dict(Counter(each.reason for each in collection.set_aside)),
            "calls": calls,
            "terms": provider.terms,
            "complete": collector.trouble is None,
        },
        f"{out / MANIFEST}: {len(collection.entries)} GIFs in {collection.groups} groups, "
        f"{len(collection.set_aside)} set aside in {out / SET_ASIDE}{quota_text}",
    )
    if collector.trouble is not None:
        raise collector.trouble


def _print_table(collection: Any) -> None:
    table = Table("show", "GIFs", "groups", "set aside")
    shows = sorted({entry.show for entry in (*collection.entries, *collection.set_aside)})
    for show in shows:
        entries = [entry for entry in collection.entries if entry.show == show]
        aside = sum(each.show == show for each in collection.set_aside)
        table.add_row(show, str(len(entries)), str(len({entry.group for entry in entries})), str(aside))
    Console().print(table)
