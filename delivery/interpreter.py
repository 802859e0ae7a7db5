"""A Python of a wanted version: **"3.13"** -> **the path of an interpreter** on this machine.

Byte-code is written by the version that will read it, and so the bundle needs such an interpreter.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from delivery.errors import InvalidOption, MissingTool


def find_python(version: str) -> Path:
    """Find an interpreter of this minor version: this one, one on the path, one of pyenv's or of uv's.

    Raises:
        InvalidOption: version is not two numbers such as 3.13.
        MissingTool: there is none; says how to get one.
    """
    if not re.fullmatch(r"3\.\d+", version):
        raise InvalidOption("python", expected="a minor version such as 3.13", found=version)
    for path in _candidates(version):
        if version_of(path) == version:
            return path
    raise MissingTool(
        f"Python {version}", f"install it (uv python install {version}), or bundle for another with --python"
    )


def _candidates(version: str) -> Iterator[Path]:
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        yield Path(sys.executable)
    if found := shutil.which(f"python{version}"):
        yield Path(found)  # a shim of pyenv may answer that this version is not switched on
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR", Path.home() / ".local/share/uv/python"))
    yield from sorted(pyenv.glob(f"{version}.*/bin/python{version}"))
    yield from sorted(uv.glob(f"cpython-{version}.*/bin/python{version}"))


def version_of(path: Path) -> str:
    """Ask an interpreter for its minor version; "" when it does not run."""
    program = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        asked = subprocess.run(
            [path, "-I", "-S", "-c", program], capture_output=True, text=True, check=False, timeout=60
        )
    except OSError:
        return ""
    return asked.stdout.strip() if asked.returncode == 0 else ""
