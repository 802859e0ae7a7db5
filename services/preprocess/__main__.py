"""Preprocess as a gRPC server: `python -m services.preprocess --help`."""

from services.preprocess.rpc import add_preprocess, read_budget
from services.rpc.program import serve_program


def main() -> None:
    """Read the command line and serve."""
    serve_program(
        "python -m services.preprocess",
        """Serve gif_analyzer.v1.PreprocessService: GIF bytes to a clip.

        Example: `python -m services.preprocess --host 127.0.0.1 --port 50051`
        """,
        {read_budget: add_preprocess},
        traced_as="gif-analyzer-preprocess",
    )


if __name__ == "__main__":
    main()
