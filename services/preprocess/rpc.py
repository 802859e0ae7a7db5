"""Preprocess over gRPC: `PreprocessServicer` answers, `RemotePreprocess` asks."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from gif_analyzer.v1 import preprocess_pb2 as pb
from gif_analyzer.v1 import preprocess_pb2_grpc as pb_grpc
from grpc import aio

from services.clip import Clip
from services.preprocess.backend import FastestSoFar
from services.preprocess.container import Budget
from services.preprocess.decode import decode_gif
from services.rpc.channel import Channel
from services.rpc.messages import read_clip, read_source, write_clip, write_source
from services.rpc.server import RpcServer
from services.rpc.settings import DEFAULT_CHANNEL, ChannelSettings
from services.workers import Workers

SERVICE = "gif_analyzer.v1.PreprocessService"
ENVELOPE_BYTES = 1 << 20  # beside the GIF, and so much too long may a GIF be to be told so by us


def max_message_bytes(budget: Budget) -> int:
    """Longest request that a server with this budget reads."""
    return budget.max_bytes + ENVELOPE_BYTES


def add_preprocess(server: RpcServer, budget: Budget) -> None:
    """Let a server answer for preprocess, within this budget."""
    servicer = PreprocessServicer(server.workers, budget)
    server.add(SERVICE, lambda to: pb_grpc.add_PreprocessServiceServicer_to_server(servicer, to))


class PreprocessServicer(pb_grpc.PreprocessServiceServicer):
    """Answers gif_analyzer.v1.PreprocessService.

    Args:
        workers: where GIFs are decoded.
        budget: what a GIF may cost at most, whatever a caller allows.
    """

    def __init__(self, workers: Workers, budget: Budget) -> None:
        self._workers = workers
        self._budget = budget
        self._backend = FastestSoFar()

    async def DecodeGif(  # noqa: N802, D102 - the contract says what it does
        self, request: pb.DecodeGifRequest, context: aio.ServicerContext[Any, Any]
    ) -> pb.DecodeGifResponse:
        return await self._workers.run(self._decode, request)

    def _decode(self, request: pb.DecodeGifRequest) -> pb.DecodeGifResponse:
        clip = decode_gif(request.gif, budget=self._tighter(request.budget), backend=self._backend())
        assert clip.source is not None, "decode_gif says what it read"
        response = pb.DecodeGifResponse()
        write_clip(clip, response.clip)
        write_source(clip.source, response.source)
        return response

    def _tighter(self, asked: pb.Budget) -> Budget:
        own = self._budget
        return Budget(
            max_bytes=_lower(own.max_bytes, asked, "max_bytes"),
            max_canvas_pixels=_lower(own.max_canvas_pixels, asked, "max_canvas_pixels"),
            max_frames=_lower(own.max_frames, asked, "max_frames"),
            max_decoded_pixels=_lower(own.max_decoded_pixels, asked, "max_decoded_pixels"),
        )


class RemotePreprocess:
    """`services.preprocess.decode_gif`, computed elsewhere. Threads may share one.

    Args:
        address: HOST:PORT.
        settings: deadline, tries, keepalive, TLS.

    Raises:
        UnreadableFile: one of the files of TLS.
    """

    def __init__(self, address: str, settings: ChannelSettings = DEFAULT_CHANNEL) -> None:
        self._channel = Channel(address, settings)
        self._stub = pb_grpc.PreprocessServiceStub(self._channel.grpc)

    def decode_gif(self, gif: bytes, *, budget: Budget | None = None) -> Clip:
        """Decode a GIF as `services.preprocess.decode_gif` does.

        Args:
            gif: the whole file.
            budget: limits beside the service's own, the lower one of each holds; None is the service's own.

        Raises:
            NotAGif, CorruptGif, GifTooLarge: as the local function.
            ServiceError: the service gave no answer.
        """
        asked = None
        if budget is not None:
            asked = pb.Budget(
                max_bytes=budget.max_bytes,
                max_canvas_pixels=budget.max_canvas_pixels,
                max_frames=budget.max_frames,
                max_decoded_pixels=budget.max_decoded_pixels,
            )
        response = self._channel.call(self._stub.DecodeGif, pb.DecodeGifRequest(gif=gif, budget=asked))
        return read_clip(response.clip, read_source(response.source))

    def check(self) -> None:
        """Return when the service says that it serves.

        Raises:
            ServiceError: it does not, or cannot be asked.
        """
        self._channel.check(SERVICE)

    def close(self) -> None:
        """End the connection."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _lower(own: int, asked: pb.Budget, limit: str) -> int:
    return min(own, getattr(asked, limit)) if asked.HasField(limit) else own  # type: ignore[arg-type]
