"""The Python that a bundle is made for: its platform, its interpreter on this machine, and its byte-code.

Lambda cannot write to the folder of a bundle: without byte-code every cold start would compile everything
again. Byte-code must be written by the version that reads it, so an interpreter of that version must be on
this machine.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from delivery.errors import FailedStep, InvalidOption, MissingTool

# Architecture as Lambda names it -> the first part of a wheel's platform.
MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}
GLIBC = "2_34"  # of Amazon Linux 2023, on which Lambda runs Python from 3.12 on
TASK = "/var/task"  # where Lambda unpacks a bundle: tracebacks name it


@dataclass(frozen=True)
class Target:
    """A runtime of AWS Lambda.

    Raises:
        InvalidOption: one of them is something else.
    """

    python: str = "3.13"  # minor version, e.g. 3.13.
    architecture: str = "x86_64"  # x86_64 or arm64

    def __post_init__(self) -> None:
        if not re.fullmatch(r"3\.\d+", self.python):
            raise InvalidOption("python", expected="a minor version such as 3.13", found=self.python)
        if self.architecture not in MACHINES:
            expected = f"one of {', '.join(MACHINES)}"
            raise InvalidOption("architecture", expected=expected, found=self.architecture)

    @property
    def platform(self) -> str:
        """The platform, as uv names it."""
        return f"{MACHINES[self.architecture]}-manylinux_{GLIBC}"


def find_python(version: str) -> Path:
    """Find an interpreter of a minor version: this one, or one of the path, of pyenv or of uv.

    Raises:
        MissingTool: there is none; says how to get one.
    """
    for path in _interpreters(version):
        if version_of(path) == version:
            return path
    remedy = f"install it (uv python install {version}), or bundle for another with --python"
    raise MissingTool(f"Python {version}", remedy)


def _interpreters(version: str) -> Iterator[Path]:
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        yield Path(sys.executable)
    if found := shutil.which(f"python{version}"):
        yield Path(found)  # may be a shim of pyenv for a version that is not active
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR", Path.home() / ".local/share/uv/python"))
    yield from sorted(pyenv.glob(f"{version}.*/bin/python{version}"))
    yield from sorted(uv.glob(f"cpython-{version}.*/bin/python{version}"))


def version_of(path: Path) -> str:
    """Return the minor version of an interpreter; "" if it does not run."""
    program = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run(
            [path, "-I", "-S", "-c", program], capture_output=True, text=True, check=False, timeout=60
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def compile_sources(folder: Path, python: str, *, keep: Collection[str]) -> None:
    """Compile every source of a folder.

    The byte-code holds hashes that Python never checks, because a zip's times are fixed and Lambda changes no
    source. Sources of other packages are deleted: they are 2.2 MB of the zip, and only add the quoted lines
    to tracebacks.

    Args:
        folder: of the bundle.
        python: minor version of the target.
        keep: folders in it whose sources stay beside their byte-code.

    Raises:
        MissingTool: there is no interpreter of that version.
        FailedStep: a source does not compile.
    """
    interpreter = find_python(python)
    kept = [folder / name for name in keep]
    others = [path for path in sorted(folder.iterdir()) if path not in kept]
    _compile(interpreter, folder, kept)
    _compile(interpreter, folder, others, "-b")  # `-b`: where Python finds it without a source
    for path in others:
        for source in path.rglob("*.py") if path.is_dir() else [path]:
            if source.with_suffix(".pyc").exists():
                source.unlink()


def _compile(interpreter: Path, folder: Path, paths: Sequence[Path], *options: str) -> None:
    command = [
        *(str(interpreter), "-S", "-P", "-m", "compileall", "-q", "-f", "-j", "1", *options),
        *("--invalidation-mode", "unchecked-hash", "-s", str(folder), "-p", TASK),
        *(str(path) for path in paths if path.is_dir() or path.suffix == ".py"),
    ]
    # A fixed hash seed gives the same bytes each time: sets of constants are written in the order of their
    # hashes.
    environment = {"PYTHONHASHSEED": "0", "PYTHONWARNINGS": "ignore", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise FailedStep("compiling", done.stdout + done.stderr)
