"""Memory that is used again: the pictures of one clip where those of the last one lay.

A clip takes some five megabytes for a moment. The C library gives such blocks back to the system when they
are freed, and asks for them again for the next clip, a thousand pages at a time, each of which the system
must clear: up to a third of the time that a clip takes.
"""

from __future__ import annotations

import numpy as np

# glibc raises the size from which it gives blocks back to that of the largest that was freed, up to 32 MB,
# and keeps twice as much at the end of its heap (mallopt(3), M_MMAP_THRESHOLD). Others do not mind.
_LARGEST = (32 << 20) - (64 << 10)


def keep_freed_memory() -> None:
    """Let this process keep up to 64 MB that were freed, for as long as it lives."""
    np.empty(_LARGEST, np.uint8)  # never written to: no page of it is ever there
