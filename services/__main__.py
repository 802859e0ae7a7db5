"""Both steps as one gRPC server: `python -m services --help`."""

from __future__ import annotations

from services.inference.classifier import Classifier
from services.inference.program import model_options
from services.pair import build_pair
from services.preprocess.container import Budget
from services.preprocess.program import budget_options, read_budget
from services.rpc.program import parser, run, server_settings


def main() -> None:
    """Read the command line and serve."""
    command = parser(
        "Serve both steps on one port: GIF bytes to a clip, and a clip to ranked shows.",
        "python -m services --host 127.0.0.1 --port 50051",
        model_options(),
        budget_options(Budget()),
    )
    options = command.parse_args()
    run(
        lambda: build_pair(
            server_settings(options),
            Classifier(options.model, threads=options.threads, early_exit=options.early_exit),
            read_budget(options),
        )
    )


if __name__ == "__main__":
    main()
