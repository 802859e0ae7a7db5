"""A LitServe server: `{"gif": base64}` -> `{"show": …}`; started with a port as argument."""

# LitServe reads these annotations at run time, so they must not be strings.
import base64
import os
import sys
from typing import Any

import litserve

from gateway.pipeline import local


class GifShow(litserve.LitAPI):  # type: ignore[misc]
    """Name the show of a GIF."""

    def setup(self, device: str) -> None:
        """Load the model."""
        self._pipeline = local(os.environ["BENCHMARK_MODEL"])

    def decode_request(self, request: dict[str, Any]) -> bytes:
        """Return the GIF of a request."""
        return base64.b64decode(request["gif"])

    def predict(self, gif: bytes) -> str:
        """Return the most probable show of a GIF."""
        return self._pipeline.identify(gif, 1).shows[0].show

    def encode_response(self, show: str) -> dict[str, str]:
        """Return the body of the answer."""
        return {"show": show}


if __name__ == "__main__":
    server = litserve.LitServer(GifShow(), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), num_api_servers=1, generate_client_file=False)
