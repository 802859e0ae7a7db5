"""`gif-train regroup`: **a manifest** -> the same, its groups joined where GIFs show the same seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track

from services.errors import AnalyzerError, os_reason
from services.terminal import Json, report
from training.commands.terminal import progress


def regroup(
    manifest: Annotated[Path, typer.Argument(metavar="MANIFEST", help="CSV file of GIFs, shows and groups.")],
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write here, paths made relative to it; else MANIFEST is replaced."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be joined, write nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Join the groups of a manifest that show the same by their looks, mirrored or not.

    Manifests that collect and cut write need it only when several are used as one. GIFs that cannot be
    decoded keep their group, and are named.

    **Examples**

        gif-train regroup shows.csv --dry-run

        gif-train regroup shows.csv --out grouped.csv
    """
    from services.preprocess import decode_gif  # noqa: PLC0415
    from training.collect.fingerprint import Fingerprint, fingerprint  # noqa: PLC0415 - scipy, which --help need not
    from training.collect.regroup import regroup as join_groups  # noqa: PLC0415
    from training.collect.regroup import rewrite_groups  # noqa: PLC0415
    from training.data.manifest import read_manifest  # noqa: PLC0415

    console = progress()
    rows = read_manifest(manifest)
    places: list[int] = []
    prints: list[Fingerprint] = []
    unread: list[str] = []
    for place, row in enumerate(
        track(rows, "GIFs", console=console, transient=True, disable=not console.is_terminal)
    ):
        try:
            gif = row.path.read_bytes()
            prints.append(fingerprint(decode_gif(gif)))
            places.append(place)
        except (AnalyzerError, OSError) as error:
            why = os_reason(error) if isinstance(error, OSError) else str(error)
            console.print(f"{row.path.name}: {why}", highlight=False, soft_wrap=True)
            unread.append(row.path.name)
    looked = [rows[place] for place in places]
    joined, crossing = join_groups(looked, prints)
    names = {before.group: after.group for before, after in zip(looked, joined, strict=True)}
    groups = [names.get(row.group, row.group) for row in rows]
    target = out or manifest
    if not dry_run:
        rewrite_groups(manifest, target, groups)
    report(
        as_json,
        {
            "manifest": None if dry_run else str(target),
            "gifs": len(rows),
            "groups_before": len({row.group for row in rows}),
            "groups": len(set(groups)),
            "pairs": [
                {
                    "first": str(looked[pair.first].path),
                    "second": str(looked[pair.second].path),
                    "groups": [looked[pair.first].group, looked[pair.second].group],
                    "distance": pair.distance,
                }
                for pair in crossing
            ],
            "unread": unread,
        },
        "\n".join(
            [
                *(
                    f"{looked[pair.first].path.name} of {looked[pair.first].group} and "
                    f"{looked[pair.second].path.name} of {looked[pair.second].group}: "
                    f"{pair.distance:.3f} apart"
                    for pair in crossing
                ),
                f"{'nothing written' if dry_run else target}: {len(rows)} GIFs in {len(set(groups))} groups, "
                f"{len({row.group for row in rows})} before",
            ]
        ),
    )
