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
    logs_answers: bool = False,
) -> Pipeline:
    """Make a pipeline whose steps are computed by services; threads may share it.

    Nothing is called yet: a missing service is `ServiceUnavailable` when a GIF is identified.

    Args:
        preprocess: HOST:PORT of gif_analyzer.v1.PreprocessService.
        inference: HOST:PORT of gif_analyzer.v1.InferenceService; both may be the same.
        channel: deadline of each step, tries, keepalive, TLS.
        budget: what a GIF may cost, beside the limits of the service; None leaves it to the service.
        logs_answers: whether the caller writes the line of each answer into its log, so that the service
            does not.

    Raises:
        UnreadableFile: one of the TLS files.
    """
    decoder = RemotePreprocess(preprocess, channel)
    classifier = RemoteClassifier(inference, channel, logs_answers=logs_answers)

    def check() -> None:
        decoder.check()
        classifier.check()

    return Pipeline(
        functools.partial(decoder.decode_gif, budget=budget),
        classifier.classify,
        describe=lambda: ModelDescription(*classifier.describe()),
        check=check,
    )
