"""A pipeline whose steps are gRPC services. A module of its own, because AWS Lambda has no grpc."""

from __future__ import annotations

import functools

from gateway.pipeline import ModelDescription, Pipeline
from services.inference.rpc import RemoteClassifier
from services.preprocess import Budget
from services.preprocess.rpc import RemotePreprocess
from services.rpc.settings import DEFAULT_CHANNEL, ChannelSettings


def remote(
    preprocess: str,
    inference: str,
    *,
    channel: ChannelSettings = DEFAULT_CHANNEL,
    budget: Budget | None = None,
) -> Pipeline:
    """Make a pipeline whose steps are computed by services; threads may share it.

    Nothing is called yet: a missing service is `ServiceUnavailable` when a GIF is identified.

    Args:
        preprocess: HOST:PORT of gif_analyzer.v1.PreprocessService.
        inference: HOST:PORT of gif_analyzer.v1.InferenceService; both may be the same.
        channel: deadline of each step, tries, keepalive, TLS.
        budget: what a GIF may cost, beside the limits of the service; None leaves it to the service.

    Raises:
        UnreadableFile: one of the TLS files.
    """
    decoder, classifier = RemotePreprocess(preprocess, channel), RemoteClassifier(inference, channel)

    def check() -> None:
        decoder.check()
        classifier.check()

    return Pipeline(
        functools.partial(decoder.decode_gif, budget=budget),
        classifier.classify,
        describe=lambda: ModelDescription(*classifier.describe()),
        check=check,
    )
