"""Benchmarks of this project, beside its peers and of its own parts; `python -m benchmarks` lists them."""

from pathlib import Path

ROOT = Path(__file__).parents[1]  # of the repository
EXAMPLES = ROOT / "examples"
