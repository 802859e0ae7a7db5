"""Sorts GIFs into a folder for each show by copying, linking or moving them, and undoes that with a log.

    INTO/Friends/some.gif
    INTO/.gif-analyzer/sort-000001.jsonl      the log of one run, which `undo` reads
    INTO/.gif-analyzer/unfinished             a copy until it is whole

Nothing is ever overwritten: a file appears under its name in one step, or with a number if the name is taken.
The log says what will be done before it is done, so that a run that was killed can be undone, too.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import itertools
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TextIO, get_args

from services.errors import UnreadableFile, os_reason
from services.files import write_text
from services.inference import Level, Verdict
from services.names import name_from_text, name_text

How = Literal["copy", "link", "move"]
LEVELS: tuple[Level, ...] = get_args(Level)  # the surest first
HOME = ".gif-analyzer"  # the folder of logs
_UNFINISHED = "unfinished"
_LOG = re.compile(r"sort-(\d{6})\.jsonl")
_MAX_NAME_BYTES = 200  # of a folder; file systems allow 255
_NO_LINK = (
    errno.EXDEV,
    errno.EPERM,
    errno.EOPNOTSUPP,
    errno.EMLINK,
    errno.ENOSYS,
)  # another disk, for example


def folder_name(verdict: Verdict) -> str:
    """Return the name of a verdict's folder: the show, the shows, the kind of picture, or "unknown"."""
    text = verdict.names[0] if verdict.level == "kind" else verdict.text
    plain = re.sub(r"[/\\\x00-\x1f\x7f]", "-", text).strip()
    short = plain.encode("utf-8", "replace")[:_MAX_NAME_BYTES].decode("utf-8", "ignore").rstrip()
    return short if short.strip(".") and not short.startswith(".") else f"_{short}"


def target_of(
    into: Path, verdict: Verdict, source: str, sha256: str, *, taken: Mapping[Path, str]
) -> Path | None:
    """Return where a file would be put; None if a file with the same bytes is there already.

    Args:
        into: the folder that is sorted into.
        verdict: decides the folder.
        source: path of the file.
        sha256: of its bytes.
        taken: places that other files would get before, and the digests of these files.
    """
    for place in _places(into / folder_name(verdict), source):
        if taken.get(place) == sha256 or _holds(place, sha256):
            return None
        if place not in taken and not os.path.lexists(place):
            return place
    raise AssertionError("there is always another number")


@contextlib.contextmanager
def open_sorting(into: Path) -> Iterator[Sorting]:
    """Make and lock a folder for one run, and open its log; raises UnreadableFile, also if it is locked."""
    made = not into.exists()
    with _held(into) as home:
        number = 1 + max((int(found[1]) for found in _logs(home)), default=0)
        with (home / f"sort-{number:06d}.jsonl").open("x", encoding="utf-8") as log:
            run = Sorting(into, log)
            if made:
                run.note(made="")
            yield run


class Sorting:
    """One run that sorts into a folder; see `open_sorting`."""

    def __init__(self, into: Path, log: TextIO) -> None:
        self._into, self._log = into, log

    def put(self, how: How, source: str, gif: bytes, verdict: Verdict) -> Path | None:
        """Copy, link or move one file to its place.

        Args:
            how: what is done.
            source: path of the file.
            gif: its bytes, as they were identified.
            verdict: decides the folder.

        Returns:
            Its new path; None if a file with the same bytes was there already.

        Raises:
            UnreadableFile: it cannot be put there; the file is where it was.
        """
        try:
            return self._put(how, source, gif, verdict)
        except OSError as error:
            raise UnreadableFile(source, os_reason(error)) from error

    def _put(self, how: How, source: str, gif: bytes, verdict: Verdict) -> Path | None:
        if how == "move" and Path(source).is_symlink():
            raise UnreadableFile(source, "it is a symbolic link, which is not moved: copy it")
        folder = self._into / folder_name(verdict)
        if not folder.exists():
            self.note(made=folder.name)
            folder.mkdir()
        sha256 = hashlib.sha256(gif).hexdigest()
        for place in _places(folder, source):
            if os.path.lexists(place):
                if how == "move" and _is_second_name(source, place):
                    Path(source).unlink()  # an earlier run was killed in the middle of its move
                    return place
                if _holds(place, sha256):
                    return None
                continue
            self.note(how=how, source=str(Path(source).absolute()), target=place, sha256=sha256)
            try:
                self._place(how, source, gif, place)
            except FileExistsError:  # made by another program just now
                continue
            return place
        raise AssertionError("there is always another number")

    def _place(self, how: How, source: str, gif: bytes, place: Path) -> None:
        if how != "copy" and _link(os.path.realpath(source), place):
            if how == "move":
                Path(source).unlink()
            return
        if how == "link":
            raise UnreadableFile(source, "it cannot be linked on another disk: copy it")
        unfinished = self._into / HOME / _UNFINISHED
        _write(unfinished, gif, like=source)
        _publish(unfinished, place)
        if how == "move" and _holds(Path(source), hashlib.sha256(gif).hexdigest()):
            Path(source).unlink()

    def note(self, **values: Any) -> None:
        """Write a line of the log to the disk."""
        if "target" in values:
            values["target"] = name_text(os.path.relpath(values["target"], self._into))
            values["source"] = name_text(values["source"])
        self._log.write(json.dumps(values) + "\n")
        self._log.flush()
        os.fsync(self._log.fileno())


def undo(into: Path) -> tuple[int, list[tuple[str, str]]]:
    """Undo the latest run: remove its copies and links, and move files back.

    Files that were changed since, and copies whose original is gone, stay where they are and in the log.

    Returns:
        How many files are as they were before, and each file that stays with the reason.

    Raises:
        UnreadableFile: there is nothing to undo, or the log cannot be read.
    """
    if not (into / HOME).is_dir():
        raise UnreadableFile(str(into), "nothing was sorted into it")
    with _held(into) as home:
        logs = _logs(home)
        if not logs:
            raise UnreadableFile(str(into), "nothing is left to take back")
        log = home / max(found[0] for found in logs)
        left: list[dict[str, str]] = []
        files, kept = 0, []
        lines = _read_log(log)
        for line in reversed(lines):
            if "made" in line:
                continue
            why = _take_back(into, line)
            if why is None:
                files += 1
            elif why:
                kept.append((line["target"], why))
                left.insert(0, line)
        made = [line["made"] for line in lines if "made" in line]
        for name in made:
            if name:
                _remove_if_empty(into / name_from_text(name))
        if left:
            noted = [{"made": name} for name in made] + left
            write_text(log, "".join(json.dumps(line) + "\n" for line in noted))
        else:
            log.unlink()
        last = not _logs(home)
    if last:
        shutil.rmtree(into / HOME)
        if "" in made:
            _remove_if_empty(into)
    return files, kept


def _take_back(into: Path, line: dict[str, str]) -> str | None:
    """Undo one line; return None if that was done, "" if there was nothing to do, else why not."""
    source, target = Path(name_from_text(line["source"])), into / name_from_text(line["target"])
    try:
        if not os.path.lexists(target):
            return ""  # it was never done, or the user removed it
        if not _holds(target, line["sha256"]):
            return "it was changed since"
        if os.path.lexists(source):
            if not _holds(source, line["sha256"]):
                return "another file is where it was" if line["how"] == "move" else "its original was changed"
            target.unlink()
        elif line["how"] == "move":
            source.parent.mkdir(parents=True, exist_ok=True)
            if not _link(str(target), source):
                unfinished = source.with_name(f"{HOME}-{_UNFINISHED}")
                _write(unfinished, target.read_bytes(), like=str(target))
                _publish(unfinished, source)
            target.unlink()
        else:
            return "its original is gone"
    except OSError as error:
        return os_reason(error)
    return None


@contextlib.contextmanager
def _held(into: Path) -> Iterator[Path]:
    """Lock a folder against other runs, and yield the folder of its logs."""
    home = into / HOME
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock = (home / "lock").open("w")
    except OSError as error:
        raise UnreadableFile(str(into), os_reason(error)) from error
    with lock:
        try:
            # The lock is released when the process ends, however it ends.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UnreadableFile(str(into), "another run sorts into it") from error
        try:
            yield home
        finally:
            (home / _UNFINISHED).unlink(missing_ok=True)
            for found in _logs(home):  # a run that did nothing leaves no log
                if not (home / found[0]).stat().st_size:
                    (home / found[0]).unlink()


def _logs(home: Path) -> list[re.Match[str]]:
    return [found for path in home.iterdir() if (found := _LOG.fullmatch(path.name))]


def _read_log(log: Path) -> list[dict[str, str]]:
    texts = log.read_text("utf-8").splitlines()
    lines: list[dict[str, str]] = []
    for number, text in enumerate(texts, start=1):
        try:
            lines.append(json.loads(text))
        except ValueError as error:
            if number == len(texts):  # the run was killed while it wrote this line, and did nothing after it
                break
            raise UnreadableFile(str(log), f"line {number} of the log is damaged") from error
    return lines


def _places(folder: Path, source: str) -> Iterator[Path]:
    """Yield the file's own name in a folder, then with numbers: a.gif, a (2).gif, a (3).gif."""
    name = Path(source).name
    yield folder / name
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 - a Path does not accept every name
    for number in itertools.count(2):
        yield folder / f"{stem} ({number}){suffix}"


def _holds(path: Path, sha256: str) -> bool:
    """Whether a path is a file with these bytes."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False


def _is_second_name(source: str, place: Path) -> bool:
    """Whether two different paths are hard links to one file."""
    return place.samefile(source) and Path(source).absolute() != place.absolute()


def _link(source: str, place: Path) -> bool:
    """Make a hard link; return False where the file system cannot, as between two disks."""
    try:
        os.link(source, place)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        return False
    return True


def _write(path: Path, content: bytes, *, like: str) -> None:
    """Write a file to the disk, with the times and permissions of another."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    shutil.copystat(like, path)


def _publish(unfinished: Path, place: Path) -> None:
    """Move a whole file to its place in one step; raise FileExistsError if something is there."""
    try:
        os.link(unfinished, place)
    except FileExistsError:
        raise
    except OSError:  # a file system without links, such as that of a memory card
        if os.path.lexists(place):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(place)) from None
        unfinished.rename(place)
    else:
        unfinished.unlink()


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()
