"""The options of preprocess on a command line: what one GIF may cost."""

from __future__ import annotations

import argparse
from dataclasses import asdict, fields

from services.preprocess.container import Budget
from services.rpc.program import at_least_1

_HELP = {
    "max_bytes": "length of the GIF, in bytes",
    "max_canvas_pixels": "width times height of the canvas, in pixels",
    "max_frames": "frames of the GIF",
    "max_decoded_pixels": "pixels to decode for one clip",
}


def budget_options(defaults: Budget) -> argparse.ArgumentParser:
    """Return one option for each limit, to be a parent of a parser."""
    options = argparse.ArgumentParser(add_help=False)
    group = options.add_argument_group("what one GIF may cost at most")
    for name, value in asdict(defaults).items():
        option = f"--{name.replace('_', '-')}"
        group.add_argument(option, type=at_least_1, default=value, metavar="N", help=_HELP[name])
    return options


def read_budget(options: argparse.Namespace) -> Budget:
    """Put the options of `budget_options` together."""
    return Budget(**{limit.name: getattr(options, limit.name) for limit in fields(Budget)})
