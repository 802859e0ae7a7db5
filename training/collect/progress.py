"""Long work as people see it: **shows, counts, waits** -> bars on standard error, or a line for a log."""

from __future__ import annotations

import math
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn


class Watch:
    """Progress by show, and the countdown of waits. A context manager.

    Args:
        console: to write to; None is silent.
    """

    def __init__(self, console: Console | None) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[remark]}"),
            TimeElapsedColumn(),
            console=console,
            disable=console is None or not console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, name: str, *, done: int, total: int, remark: str = "") -> None:
        """How far one show is."""
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, remark="")
        self._progress.update(self._tasks[name], completed=done, total=total, remark=remark)

    def wait(self, seconds: float, *, why: str) -> None:
        """Return after so many seconds, counting them down."""
        end = time.monotonic() + seconds
        if self._console is not None and not self._console.is_terminal:
            self._console.print(f"{why}: going on in {_clock(seconds)}")
        task = self._progress.add_task(why, total=math.ceil(seconds), remark="")
        try:
            while (left := end - time.monotonic()) > 0:
                self._progress.update(task, completed=seconds - left, remark=f"going on in {_clock(left)}")
                time.sleep(min(left, 1.0))
        finally:
            self._progress.remove_task(task)


def _clock(seconds: float) -> str:
    """Minutes and seconds, rounded up: 2:05."""
    minutes, rest = divmod(math.ceil(seconds), 60)
    return f"{minutes}:{rest:02d}"
