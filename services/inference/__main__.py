"""Inference as a gRPC server: `python -m services.inference --help`."""

from __future__ import annotations

from services.inference.classifier import Classifier
from services.inference.oip import MAX_MESSAGE_BYTES
from services.inference.program import model_options
from services.inference.rpc import add_inference
from services.rpc.program import parser, run, server_settings
from services.rpc.server import RpcServer


def main() -> None:
    """Read the command line and serve."""
    command = parser(
        "Serve gif_analyzer.v1.InferenceService, and the Open Inference Protocol v2: a clip to ranked shows.",
        "python -m services.inference --host 127.0.0.1 --port 50052",
        model_options(),
    )
    options = command.parse_args()

    def build() -> RpcServer:
        server = RpcServer(server_settings(options), max_message_bytes=MAX_MESSAGE_BYTES)
        add_inference(
            server, Classifier(options.model, threads=options.threads, early_exit=options.early_exit)
        )
        return server

    run(build)


if __name__ == "__main__":
    main()
