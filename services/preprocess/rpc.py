"""Preprocess over gRPC: the service `PreprocessServicer`, its options, and the client `RemotePreprocess`."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

from gif_analyzer.v1 import preprocess_pb2 as pb
from gif_analyzer.v1 import preprocess_pb2_grpc as pb_grpc
from grpc import aio

from services.clip import Clip
from services.preprocess.backend import FastestSoFar
from services.preprocess.container import Budget
from services.preprocess.decode import DEFAULT_BUDGET, decode_gif
from services.rpc.channel import Client
from services.rpc.program import option
from services.rpc.server import RpcServer
from services.rpc.settings import DEFAULT_CHANNEL, ChannelSettings
from services.rpc.wire import read_clip, source_from_message, source_to_message, write_clip
from services.workers import Workers

SERVICE = "gif_analyzer.v1.PreprocessService"
# Messages up to this much longer than the longest GIF are still read, so that the error can name the limit.
ENVELOPE_BYTES = 1 << 20
_LIMITS = tuple(field.name for field in dataclasses.fields(Budget))


def _limit(text: str) -> Any:
    return option("The most that one file may cost", text, min=1, metavar="N")


def read_budget(
    max_bytes: Annotated[int, _limit("Length of the file in bytes.")] = DEFAULT_BUDGET.max_bytes,
    max_canvas_pixels: Annotated[
        int, _limit("Width times height of the canvas, in pixels.")
    ] = DEFAULT_BUDGET.max_canvas_pixels,
    max_frames: Annotated[int, _limit("Frames of the file.")] = DEFAULT_BUDGET.max_frames,
    max_decoded_pixels: Annotated[
        int, _limit("Pixels to decode for one clip.")
    ] = DEFAULT_BUDGET.max_decoded_pixels,
) -> Budget:
    """Combine the options of the service."""
    return Budget(max_bytes, max_canvas_pixels, max_frames, max_decoded_pixels)


def add_preprocess(server: RpcServer, budget: Budget) -> None:
    """Add the service to a server, with this budget."""
    servicer = PreprocessServicer(server.workers, budget)
    server.add(
        SERVICE,
        lambda to: pb_grpc.add_PreprocessServiceServicer_to_server(servicer, to),
        computes=("DecodeGif",),
        max_message_bytes=budget.max_bytes + ENVELOPE_BYTES,
    )


class PreprocessServicer(pb_grpc.PreprocessServiceServicer):
    """Implements gif_analyzer.v1.PreprocessService.

    Args:
        workers: threads in which GIFs are decoded.
        budget: upper limits for every request, whatever limits a caller sets.
    """

    def __init__(self, workers: Workers, budget: Budget) -> None:
        self._workers = workers
        self._budget = budget
        self._backend = FastestSoFar()

    async def DecodeGif(  # noqa: N802, D102 - documented in the contract
        self, request: pb.DecodeGifRequest, context: aio.ServicerContext[Any, Any]
    ) -> pb.DecodeGifResponse:
        return await self._workers.run(self._decode, request)

    def _decode(self, request: pb.DecodeGifRequest) -> pb.DecodeGifResponse:
        clip = decode_gif(request.gif, budget=self._tighter(request.budget), backend=self._backend())
        assert clip.source is not None, "decode_gif sets the source"
        response = pb.DecodeGifResponse(source=source_to_message(clip.source))
        write_clip(clip, response.clip)
        return response

    def _tighter(self, requested: pb.Budget) -> Budget:
        """Return the lower of both limits, for each limit that the request sets."""
        limits = dataclasses.asdict(self._budget)
        for limit in _LIMITS:
            if requested.HasField(limit):  # type: ignore[arg-type]  # it wants literals
                limits[limit] = min(limits[limit], getattr(requested, limit))
        return Budget(**limits)


class RemotePreprocess(Client):
    """`services.preprocess.decode_gif` on another machine. Arguments and errors as of `Client`."""

    service = SERVICE

    def __init__(self, address: str, settings: ChannelSettings = DEFAULT_CHANNEL) -> None:
        super().__init__(address, settings)
        self._stub = pb_grpc.PreprocessServiceStub(self._channel)

    def decode_gif(self, gif: bytes, *, budget: Budget | None = None) -> Clip:
        """Decode a GIF as `services.preprocess.decode_gif` does.

        Args:
            gif: the whole file.
            budget: limits; for each the lower of this one and the service's own holds. None for the
                service's.

        Raises:
            NotAGif, CorruptGif, GifTooLarge: as the local function.
            ServiceError: the service did not answer.
        """
        limits = None if budget is None else pb.Budget(**dataclasses.asdict(budget))
        response = self._call(self._stub.DecodeGif, pb.DecodeGifRequest(gif=gif, budget=limits))
        return read_clip(response.clip, source_from_message(response.source))
