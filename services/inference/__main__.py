"""Inference as a gRPC server: `python -m services.inference --help`."""

from services.inference.rpc import add_inference, open_classifier
from services.rpc.program import serve_program


def main() -> None:
    """Read the command line and serve."""
    serve_program(
        "python -m services.inference",
        """Serve gif_analyzer.v1.InferenceService and the Open Inference Protocol v2: a clip to ranked shows.

        Example: `python -m services.inference --host 127.0.0.1 --port 50052`
        """,
        {open_classifier: add_inference},
        traced_as="gif-analyzer-inference",
    )


if __name__ == "__main__":
    main()
