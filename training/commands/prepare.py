"""`gif-train prepare`: decodes GIFs, and divides them into those to learn from and to test on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.terminal import Json, report
from training.commands.terminal import CACHE, CacheDir, Manifests, progress
from training.data.clips import load_clips
from training.data.manifest import read_manifests


def prepare(
    manifests: Manifests,
    *,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the manifests of the parts.")],
    options: Annotated[
        Path | None, typer.Option(metavar="FILE", help="YAML file with a section prepare.")
    ] = None,
    cache: CacheDir = CACHE,
    as_json: Json = False,
) -> None:
    """Decode all GIFs, and divide them into those to learn from and those to test on.

    Whole sources are held out. GIFs that are unusable, duplicates or under two shows are listed in
    set-aside.csv.

    **Example**

        gif-train prepare shows.csv --options params.yaml --out runs/prepared
    """
    from training.data.prepare import SET_ASIDE, PrepareOptions
    from training.data.prepare import prepare as prepare_clips

    chosen = PrepareOptions.read(options) if options else PrepareOptions()
    clips = load_clips(read_manifests(manifests), cache, console=progress())
    prepared = prepare_clips(clips, chosen)
    prepared.write(out)
    report(
        as_json,
        prepared.summary(),
        f"{out}: {len(prepared.train)} GIFs to learn from, {len(prepared.evaluation)} to test on, "
        f"{len(prepared.unknown) if prepared.unknown else 0} of unknown shows; "
        f"{len(prepared.set_aside)} set aside in {out / SET_ASIDE}",
    )
