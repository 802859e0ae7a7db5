"""Both steps as one gRPC server: `python -m services --help`."""

from services.inference.rpc import add_inference, open_classifier
from services.preprocess.rpc import add_preprocess, read_budget
from services.rpc.program import serve_program


def main() -> None:
    """Read the command line and serve."""
    serve_program(
        "python -m services",
        """Serve both steps on one port: GIF bytes to a clip, and a clip to ranked shows.

        Example: `python -m services --host 127.0.0.1 --port 50051`
        """,
        {read_budget: add_preprocess, open_classifier: add_inference},
        traced_as="gif-analyzer-services",
    )


if __name__ == "__main__":
    main()
