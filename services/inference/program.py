"""The options of inference on a command line: which model, how many threads, whether to stop early."""

from __future__ import annotations

import argparse
from pathlib import Path

from services.inference.classifier import default_model_path
from services.rpc.program import at_least_1


def model_options() -> argparse.ArgumentParser:
    """Return them, to be a parent of a parser."""
    options = argparse.ArgumentParser(add_help=False)
    group = options.add_argument_group("the model")
    group.add_argument(
        "--model", type=Path, default=default_model_path(), metavar="PATH", help="an ONNX file"
    )
    group.add_argument("--threads", type=at_least_1, default=1, metavar="N", help="of one classification")
    group.add_argument(
        "--early-exit",
        action="store_true",
        help="stop when the first frames decide, unless a request asks for exact probabilities",
    )
    return options
