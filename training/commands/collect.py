"""The commands that make manifests of GIFs: `gif-train collect`, `cut` and `regroup`."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from services.errors import AnalyzerError
from services.terminal import Json, report
from training.collect.providers import MAX_GIF_BYTES, Folder, Provider
from training.commands.terminal import Manifest, progress
from training.errors import InvalidOptions, InvalidVideo

if TYPE_CHECKING:
    from training.collect.collection import Collection
    from training.collect.grouping import Fingerprint

KEY = "GIPHY_API_KEY"
DEFAULT_SHOWS = Path(__file__).parents[1] / "collect" / "shows.toml"
GifFolder = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="Folder for the GIFs and manifest.csv.")
]


def collect(
    *,
    out: GifFolder,
    shows: Annotated[
        Path, typer.Option(metavar="FILE", help="TOML file of titles and search words.")
    ] = DEFAULT_SHOWS,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="TITLE", help="Collect this show of the file; may be repeated."),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Take the GIFs of this folder, DIR/SHOW/*.gif, without requests."),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait for the next calls when the hour's are used up.")
    ] = True,
    calls_per_hour: Annotated[
        int, typer.Option(metavar="N", min=1, help="Calls that the key allows; 100 for a beta key.")
    ] = 100,
    max_bytes: Annotated[
        int, typer.Option(metavar="N", min=1, help="Maximum size of a GIF.")
    ] = MAX_GIF_BYTES,
    attempts: Annotated[int, typer.Option(metavar="N", min=1, help="Attempts of one request.")] = 5,
    timeout_s: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", min=0.001, help="For a part of a response.")
    ] = 15.0,
    backoff_s: Annotated[
        float, typer.Option("--backoff", metavar="SECONDS", min=0, help="First pause before another attempt.")
    ] = 1.0,
    api: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address of the API.")
    ] = "https://api.giphy.com",
    as_json: Json = False,
) -> None:
    """Collect GIFs of shows, group those that show the same seconds, and write a manifest.

    Calls Giphy with the key in GIPHY_API_KEY, within its limits. Every response is kept: run the same command
    again to continue an interrupted one. GIFs under two shows are set aside. Powered by GIPHY: its terms
    apply, and collected GIFs must never be published.

    Exit codes: 0 done, 1 the provider or the data failed, 2 usage, 75 the hour's calls are used up.

    **Examples**

        gif-train collect --out runs/shows

        gif-train collect --only Friends --only "Breaking Bad" --no-wait --out runs/two

        gif-train collect --folder my-gifs --out runs/mine
    """
    from training.collect.collection import MANIFEST, SET_ASIDE
    from training.collect.collector import Collector, Watch
    from training.collect.giphy import Giphy
    from training.collect.journal import Journal
    from training.collect.quota import Quota
    from training.collect.shows import read_shows

    chosen = read_shows(shows)
    if only:
        titles = [show.title for show in chosen]
        if unknown := sorted(set(only) - set(titles)):
            raise InvalidOptions("only", expected=f"of {', '.join(titles)}", found=unknown[0])
        chosen = tuple(show for show in chosen if show.title in only)
    key = os.environ.get(KEY, "").strip()
    if folder is None and not key:
        raise InvalidOptions(KEY, expected="your key of Giphy's API, in the environment", found="not set")
    console = progress()
    with Journal(out, Giphy.name if folder is None else Folder.name) as journal, Watch(console) as watch:

        def pause(seconds: float) -> None:
            watch.wait(seconds, why=f"{quota.used} of {quota.calls} calls of this hour are used")

        quota = Quota("Giphy", calls_per_hour, journal, wait=pause if wait else None)
        provider: Provider
        if folder is None:
            provider = Giphy(
                key,
                chosen,
                quota,
                api=api,
                attempts=attempts,
                timeout_s=timeout_s,
                backoff_s=backoff_s,
                max_bytes=max_bytes,
            )
        else:
            provider = Folder(folder, max_bytes=max_bytes)
        if provider.terms:
            console.print(provider.terms, style="bold", highlight=False, soft_wrap=True)
        collector = Collector(provider, out, journal, watch=watch, max_bytes=max_bytes)
        collection = collector.run()
        collection.write(out, terms=provider.terms)
        calls = {"used": quota.used, "allowed": quota.calls} if folder is None else None
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
            "complete": collector.failure is None,
        },
        f"{out / MANIFEST}: {len(collection.entries)} GIFs in {collection.groups} groups, "
        f"{len(collection.set_aside)} set aside in {out / SET_ASIDE}{quota_text}",
    )
    if collector.failure is not None:
        raise collector.failure


def _print_table(collection: Collection) -> None:
    table = Table("show", "GIFs", "groups", "set aside")
    aside = Counter(each.show for each in collection.set_aside)
    groups: dict[str, list[str]] = {show: [] for show in aside}
    for entry in collection.entries:
        groups.setdefault(entry.show, []).append(entry.group)
    for show, names in sorted(groups.items()):
        table.add_row(show, str(len(names)), str(len(set(names))), str(aside[show]))
    Console().print(table)


def cut(
    video: Annotated[Path, typer.Argument(metavar="VIDEO", help="A video that you have the right to use.")],
    *,
    show: Annotated[str, typer.Option(metavar="NAME", help="Title that the GIFs are of.")],
    out: GifFolder,
    window: Annotated[
        list[str] | None,
        typer.Option(
            metavar="START-END", help="Seconds to cut from; may be repeated. Without it, all scenes are cut."
        ),
    ] = None,
    clip_s: Annotated[float, typer.Option(metavar="SECONDS", min=0.02, help="Length of a GIF.")] = 3.0,
    fps: Annotated[float, typer.Option(min=0.01, max=50, help="Frames a second.")] = 10.0,
    height: Annotated[
        int,
        typer.Option(
            metavar="PIXELS", min=16, max=2160, help="Height of a GIF that shows the whole picture."
        ),
    ] = 200,
    as_json: Json = False,
) -> None:
    """Cut a video into GIFs, and write a manifest of them.

    GIFs overlap and are framed in several ways. All GIFs of one scene, or of one window, form one group, and
    so do scenes that look the same: they are never split between training and testing.

    **Examples**

        gif-train cut bunny.mp4 --show "Big Buck Bunny" --out big-buck-bunny

        gif-train cut bunny.mp4 --show "Big Buck Bunny" --window 0-8 --window 16-24 --out big-buck-bunny
    """
    from training.collect.collection import MANIFEST
    from training.collect.cut_video import cut_video

    if not video.is_file():
        raise InvalidVideo(str(video), "there is no such file")
    windows = [_window(text) for text in window] if window else None
    rows = cut_video(
        video, show, out, windows=windows, clip_s=clip_s, fps=fps, height=height, console=progress()
    )
    groups = len({row.group for row in rows})
    report(
        as_json,
        {"manifest": str(out / MANIFEST), "gifs": len(rows), "groups": groups},
        f"{out / MANIFEST}: {len(rows)} GIFs in {groups} groups",
    )


def _window(text: str) -> tuple[float, float]:
    start, _, end = text.partition("-")
    try:
        return float(start), float(end)
    except ValueError:
        raise InvalidOptions("window", expected="START-END in seconds", found=text) from None


def regroup(
    manifest: Manifest,
    *,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Manifest to write; without it, MANIFEST is replaced."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be joined, write nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Join the groups of a manifest whose GIFs look the same, mirrored or not.

    Manifests of collect and cut need it only when several are used as one. GIFs that cannot be decoded keep
    their group, and are listed.

    **Examples**

        gif-train regroup shows.csv --dry-run

        gif-train regroup shows.csv --out grouped.csv
    """
    from services.preprocess import Budget, decode_gif
    from services.reading import read_gif
    from training.collect.grouping import fingerprint, rewrite_groups
    from training.collect.grouping import regroup as join_groups
    from training.data.manifest import read_manifest

    console = progress()
    rows = read_manifest(manifest)
    prints: dict[int, Fingerprint] = {}
    unread: list[str] = []
    for place, row in enumerate(
        track(rows, "GIFs", console=console, transient=True, disable=not console.is_terminal)
    ):
        try:
            prints[place] = fingerprint(decode_gif(read_gif(row.path, most=Budget().max_bytes)))
        except AnalyzerError as error:
            console.print(f"{row.path.name}: {error}", markup=False, highlight=False, soft_wrap=True)
            unread.append(row.path.name)
    decoded = [rows[place] for place in prints]
    joined, crossing = join_groups(decoded, list(prints.values()))
    names = {before.group: after.group for before, after in zip(decoded, joined, strict=True)}
    groups = [names.get(row.group, row.group) for row in rows]
    target = out or manifest
    if not dry_run:
        rewrite_groups(manifest, target, groups)
    pairs = [(decoded[pair.first], decoded[pair.second], pair.distance) for pair in crossing]
    before, after = len({row.group for row in rows}), len(set(groups))
    lines = [
        f"{first.path.name} of {first.group} and {second.path.name} of {second.group}: {distance:.3f} apart"
        for first, second, distance in pairs
    ]
    lines.append(
        f"{'nothing written' if dry_run else target}: {len(rows)} GIFs in {after} groups, {before} before"
    )
    report(
        as_json,
        {
            "manifest": None if dry_run else str(target),
            "gifs": len(rows),
            "groups_before": before,
            "groups": after,
            "pairs": [
                {
                    "first": str(first.path),
                    "second": str(second.path),
                    "groups": [first.group, second.group],
                    "distance": distance,
                }
                for first, second, distance in pairs
            ],
            "unread": unread,
        },
        "\n".join(lines),
    )
