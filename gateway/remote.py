"""The pipeline over gRPC: **addresses of the two services** -> `Pipeline`.

Apart from `gateway.pipeline`, which must be importable where there is no grpc, as in AWS Lambda.
"""

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

    Nothing is asked yet: a service that is not there is `ServiceUnavailable` when a GIF is identified.

    Args:
        preprocess: HOST:PORT of gif_analyzer.v1.PreprocessService.
        inference: HOST:PORT of gif_analyzer.v1.InferenceService; both may be the same.
        channel: deadline of each step, tries, keepalive, TLS.
        budget: what a GIF may cost, beside the limits of the service itself; None leaves it to the service.

    Raises:
        UnreadableFile: one of the files of TLS.
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
