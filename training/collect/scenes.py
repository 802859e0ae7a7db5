"""Where a video cuts: **video file** -> PySceneDetect on PyAV's frames -> **scenes in seconds**.

The detector compares each frame with those around it, so that a moving camera is no cut. It is PySceneDetect
because that is the well-kept one. It reads through PyAV, as `training.collect.cut_video` does, so that both
mean the same instants.
"""

from __future__ import annotations

import logging
from pathlib import Path

import av.error
import scenedetect
from rich.console import Console

from training.errors import InvalidVideo


def find_scenes(path: Path, *, console: Console | None = None) -> tuple[tuple[float, float], ...]:
    """The scenes of a video, in seconds; one behind another, each a frame shorter than to the next.

    What lies between is never shown: whichever way a rate rounds, no frame is of two scenes.

    Args:
        path: of a video that PyAV can read.
        console: shows how far it is; None is silent.

    Raises:
        InvalidVideo: the file cannot be read as a video, or has no frames.
    """
    logging.getLogger("pyscenedetect").setLevel(logging.ERROR)
    try:
        video = scenedetect.open_video(str(path), backend="pyav")
        manager = scenedetect.SceneManager()
        manager.add_detector(scenedetect.AdaptiveDetector())
        if console is None:
            manager.detect_scenes(video)
        else:
            with console.status(f"looking for scenes in {path.name}") as status:
                manager.detect_scenes(
                    video,
                    callback=lambda _, at: status.update(f"looking for scenes in {path.name}: {at} so far"),
                )
        scenes = manager.get_scene_list(start_in_scene=True)
        frame_s = 1 / float(video.frame_rate)
    except (scenedetect.VideoOpenFailure, av.error.FFmpegError, OSError) as error:
        raise InvalidVideo(str(path), "it cannot be read as a video") from error
    if not scenes:
        raise InvalidVideo(str(path), "it has no pictures")
    return tuple((start.seconds, end.seconds - frame_s) for start, end in scenes)
