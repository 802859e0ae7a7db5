"""What a bundle is made for: **a version of Python, an architecture** -> the platform of wheels."""

from __future__ import annotations

import re
from dataclasses import dataclass

from delivery.errors import InvalidOption

# Architecture as Lambda names it -> the first part of a wheel's platform.
MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}
GLIBC = "2_34"  # of Amazon Linux 2023, which Lambda runs Python from 3.12 on


@dataclass(frozen=True)
class Target:
    """A runtime of AWS Lambda.

    Attributes:
        python: minor version, e.g. 3.13.
        architecture: x86_64 or arm64.

    Raises:
        InvalidOption: one of them is not of that form.
    """

    python: str = "3.13"
    architecture: str = "x86_64"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"3\.\d+", self.python):
            raise InvalidOption("python", expected="a minor version such as 3.13", found=self.python)
        if self.architecture not in MACHINES:
            raise InvalidOption(
                "architecture", expected=f"one of {', '.join(MACHINES)}", found=self.architecture
            )

    @property
    def platform(self) -> str:
        """The platform, as uv names it."""
        return f"{MACHINES[self.architecture]}-manylinux_{GLIBC}"
