"""Preprocess as a gRPC server: `python -m services.preprocess --help`."""

from __future__ import annotations

from services.preprocess.container import Budget
from services.preprocess.program import budget_options, read_budget
from services.preprocess.rpc import add_preprocess, max_message_bytes
from services.rpc.program import parser, run, server_settings
from services.rpc.server import RpcServer


def main() -> None:
    """Read the command line and serve."""
    command = parser(
        "Serve gif_analyzer.v1.PreprocessService: GIF bytes to a clip.",
        "python -m services.preprocess --host 127.0.0.1 --port 50051",
        budget_options(Budget()),
    )
    options = command.parse_args()
    budget = read_budget(options)

    def build() -> RpcServer:
        server = RpcServer(server_settings(options), max_message_bytes=max_message_bytes(budget))
        add_preprocess(server, budget)
        return server

    run(build)


if __name__ == "__main__":
    main()
