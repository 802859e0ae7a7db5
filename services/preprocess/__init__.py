"""Step one: the bytes of a GIF, or of another supported format, to a `Clip`."""

from services.preprocess.container import Budget
from services.preprocess.decode import PIXELS_VERSION, decode_gif, render_frames

__all__ = ["PIXELS_VERSION", "Budget", "decode_gif", "render_frames"]
