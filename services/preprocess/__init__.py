"""Step one: GIF bytes to a `Clip`."""

from services.preprocess.container import Budget
from services.preprocess.decode import decode_gif, render_frames

__all__ = ["Budget", "decode_gif", "render_frames"]
