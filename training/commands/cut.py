"""`gif-train cut`: **a video** -> **GIFs and a manifest of them**."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.terminal import Json, report
from training.commands.terminal import progress
from training.errors import InvalidOptions, InvalidVideo


def cut(
    video: Annotated[Path, typer.Argument(metavar="VIDEO", help="A video you have the right to use.")],
    *,
    show: Annotated[str, typer.Option(metavar="NAME", help="Title that the GIFs are of.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the GIFs and manifest.csv.")],
    window: Annotated[
        list[str] | None,
        typer.Option(
            metavar="START-END", help="Seconds to cut from, once for each stretch; all scenes without it."
        ),
    ] = None,
    clip_s: Annotated[float, typer.Option(metavar="SECONDS", help="Length of a GIF.")] = 3.0,
    fps: Annotated[float, typer.Option(help="Frames a second.")] = 10.0,
    height: Annotated[
        int, typer.Option(metavar="PIXELS", help="Of a GIF that shows the whole picture.")
    ] = 200,
    as_json: Json = False,
) -> None:
    """Cut a video into GIFs, and write a manifest of them.

    GIFs overlap and are framed in several ways. All GIFs of one scene, or of one window, form one group, and
    so do scenes that look the same: they are never split between learning and testing.

    **Examples**

        gif-train cut bunny.mp4 --show "Big Buck Bunny" --out big-buck-bunny

        gif-train cut bunny.mp4 --show "Big Buck Bunny" --window 0-8 --window 16-24 --out big-buck-bunny
    """
    from training.collect.collection import MANIFEST  # noqa: PLC0415
    from training.collect.cut_video import cut_video  # noqa: PLC0415 - video libraries for this command alone

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
