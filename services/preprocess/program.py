"""The options of preprocess on a command line: what one GIF may cost."""

from __future__ import annotations

import argparse
from dataclasses import asdict, fields

from services.preprocess.container import Budget


def budget_options(defaults: Budget) -> argparse.ArgumentParser:
    """Return one option for each limit, to be a parent of a parser."""
    options = argparse.ArgumentParser(add_help=False)
    group = options.add_argument_group("what one GIF may cost")
    for name, value in asdict(defaults).items():
        group.add_argument(f"--{name.replace('_', '-')}", type=int, default=value, metavar="N", help=" ")
    return options


def read_budget(options: argparse.Namespace) -> Budget:
    """Put the options of `budget_options` together."""
    return Budget(**{limit.name: getattr(options, limit.name) for limit in fields(Budget)})
