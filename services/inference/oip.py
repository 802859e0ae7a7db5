"""The model as a service of the Open Inference Protocol v2, which KServe and Triton use.

https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol
"""

from __future__ import annotations

import importlib.metadata
import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from grpc import aio
from numpy.typing import NDArray
from open_inference.v2 import open_inference_pb2 as pb
from open_inference.v2 import open_inference_pb2_grpc as pb_grpc

from services.clip import CLIP_BYTES, CLIP_FRAMES, CLIP_SHAPE
from services.errors import InvalidArgument, ModelNotFound
from services.extras import NAME
from services.inference.classifier import INPUT, OUTPUTS, Classifier
from services.inference.prediction import MOST_SHOWS, Verdict
from services.inference.scoring import Scores
from services.rpc.server import RpcServer

SERVICE = "inference.GRPCInferenceService"
PLATFORM = "onnxruntime_onnx"  # Triton's name for ONNX models run by ONNX Runtime
VERDICT, VERDICT_NAMES = "verdict", "verdict_names"
MAX_BATCH = 8  # clips of one request, 12 MB of pixels: a batch occupies one worker until all are computed
MAX_MESSAGE_BYTES = MAX_BATCH * CLIP_BYTES * 2 + (1 << 20)  # typed contents take 2 bytes for values over 127


def add_open_inference(server: RpcServer, classifier: Classifier) -> None:
    """Add the service to a server, for this model."""
    servicer = OpenInferenceServicer(server, classifier)
    server.add(
        SERVICE,
        lambda to: pb_grpc.add_GRPCInferenceServiceServicer_to_server(servicer, to),
        computes=("ModelInfer",),
        max_message_bytes=MAX_MESSAGE_BYTES,
    )


class OpenInferenceServicer(pb_grpc.GRPCInferenceServiceServicer):
    """Implements inference.GRPCInferenceService for one model in one version.

    Args:
        server: provides the readiness and the workers.
        classifier: the model.
    """

    def __init__(self, server: RpcServer, classifier: Classifier) -> None:
        self._server = server
        self._classifier = classifier

    async def ServerLive(  # noqa: N802, D102 - documented in the contract
        self, request: pb.ServerLiveRequest, context: aio.ServicerContext[Any, Any]
    ) -> pb.ServerLiveResponse:
        return pb.ServerLiveResponse(live=True)

    async def ServerReady(  # noqa: N802, D102
        self, request: pb.ServerReadyRequest, context: aio.ServicerContext[Any, Any]
    ) -> pb.ServerReadyResponse:
        return pb.ServerReadyResponse(ready=self._server.ready)

    async def ModelReady(  # noqa: N802, D102
        self, request: pb.ModelReadyRequest, context: aio.ServicerContext[Any, Any]
    ) -> pb.ModelReadyResponse:
        ready = self._serves(request.name, request.version) and self._server.ready
        return pb.ModelReadyResponse(ready=ready)

    async def ServerMetadata(  # noqa: N802, D102
        self, request: pb.ServerMetadataRequest, context: aio.ServicerContext[Any, Any]
    ) -> pb.ServerMetadataResponse:
        return pb.ServerMetadataResponse(name=NAME, version=importlib.metadata.version(NAME))

    async def ModelMetadata(  # noqa: N802, D102
        self, request: pb.ModelMetadataRequest, context: aio.ServicerContext[Any, Any]
    ) -> pb.ModelMetadataResponse:
        self._check_model(request.name, request.version)
        classifier = self._classifier
        tensor = pb.ModelMetadataResponse.TensorMetadata
        shows = len(classifier.shows)
        outputs = {
            "probabilities": ("FP32", [shows]),
            "frame_probabilities": ("FP32", [CLIP_FRAMES, shows]),
            "embedding": ("FP32", [classifier.embedding_size]),
            "familiarity": ("FP32", []),
            VERDICT: ("BYTES", []),
            VERDICT_NAMES: ("BYTES", [MOST_SHOWS]),
        }
        return pb.ModelMetadataResponse(
            name=classifier.model.name,
            versions=[classifier.model.version],
            platform=PLATFORM,
            inputs=[tensor(name=INPUT, datatype="UINT8", shape=[-1, *CLIP_SHAPE])],
            outputs=[
                tensor(name=name, datatype=datatype, shape=[-1, *shape])
                for name, (datatype, shape) in outputs.items()
            ],
            properties={
                "shows": json.dumps(classifier.shows, ensure_ascii=False),
                "unknown_threshold": repr(classifier.threshold),
                "training_data_sha256": classifier.model.training_data_sha256,
                "licence": classifier.model.licence,
            },
        )

    async def ModelInfer(  # noqa: N802, D102
        self, request: pb.ModelInferRequest, context: aio.ServicerContext[Any, Any]
    ) -> pb.ModelInferResponse:
        self._check_model(request.model_name, request.model_version)
        return await self._server.workers.run(self._infer, request)

    def _infer(self, request: pb.ModelInferRequest) -> pb.ModelInferResponse:
        names = (*OUTPUTS, VERDICT, VERDICT_NAMES)
        wanted = [output.name for output in request.outputs] or list(names)
        for name in wanted:
            if name not in names:
                raise InvalidArgument("outputs.name", expected=f"one of {', '.join(names)}", found=name)
        # Clip by clip, as all other interfaces do, so that the numbers are the same to the last bit.
        answers = [self._classifier.score(frames, exact=True) for frames in _read_batch(request)]
        tensors = [_tensor(name, answers) for name in wanted]
        return pb.ModelInferResponse(
            model_name=self._classifier.model.name,
            model_version=self._classifier.model.version,
            id=request.id,
            outputs=[tensor for tensor, _ in tensors],
            raw_output_contents=[content for _, content in tensors],
        )

    def _serves(self, name: str, version: str) -> bool:
        model = self._classifier.model
        return name == model.name and version in ("", model.version)

    def _check_model(self, name: str, version: str) -> None:
        if not self._serves(name, version):
            model = self._classifier.model
            raise ModelNotFound(name, version, served=f"{model.name} {model.version}")


def _tensor(
    name: str, answers: Sequence[tuple[Scores, Verdict]]
) -> tuple[pb.ModelInferResponse.InferOutputTensor, bytes]:
    """Return the description of one output of a batch, and its little-endian content."""
    if name in (VERDICT, VERDICT_NAMES):
        texts: list[str] = []
        for _, verdict in answers:
            names = (*verdict.names, *[""] * MOST_SHOWS)
            texts += [verdict.level] if name == VERDICT else names[:MOST_SHOWS]
        shape = [len(answers)] if name == VERDICT else [len(answers), MOST_SHOWS]
        elements = [text.encode() for text in texts]
        content = b"".join(len(text).to_bytes(4, "little") + text for text in elements)
        return pb.ModelInferResponse.InferOutputTensor(name=name, datatype="BYTES", shape=shape), content
    if name == "frame_probabilities":
        values = np.stack([scores.frame_probabilities[list(scores.rows)] for scores, _ in answers])
    else:
        values = np.stack([np.asarray(getattr(scores, name), np.float32) for scores, _ in answers])
    tensor = pb.ModelInferResponse.InferOutputTensor(name=name, datatype="FP32", shape=values.shape)
    return tensor, values.astype("<f4", copy=False).tobytes()


def _read_batch(request: pb.ModelInferRequest) -> NDArray[np.uint8]:
    """Read the one input: uint8 [batch, 10, 224, 224, 3].

    Raises:
        InvalidArgument: names the invalid part.
    """
    if [tensor.name for tensor in request.inputs] != [INPUT]:
        found = ", ".join(tensor.name for tensor in request.inputs) or "none"
        raise InvalidArgument("inputs.name", expected=f"{INPUT}, the only input", found=found)
    tensor = request.inputs[0]
    if tensor.datatype != "UINT8":
        raise InvalidArgument("inputs.datatype", expected="UINT8", found=tensor.datatype or "none")
    shape = tuple(tensor.shape)
    if shape[1:] != CLIP_SHAPE or not 1 <= shape[0] <= MAX_BATCH:
        expected = f"[1..{MAX_BATCH}, {str(CLIP_SHAPE)[1:-1]}]"
        raise InvalidArgument("inputs.shape", expected=expected, found=str(list(shape)))
    elements = math.prod(shape)
    typed = tensor.contents.uint_contents
    if request.raw_input_contents:
        return _read_raw(request, elements).reshape(shape)
    if len(typed) != elements:
        raise InvalidArgument(
            "inputs.contents.uint_contents", expected=f"{elements} values", found=f"{len(typed)} values"
        )
    values = np.fromiter(typed, np.uint32, elements)
    if values.max() > 255:
        raise InvalidArgument(
            "inputs.contents.uint_contents", expected="values in 0..255", found=str(values.max())
        )
    return values.astype(np.uint8).reshape(shape)


def _read_raw(request: pb.ModelInferRequest, elements: int) -> NDArray[np.uint8]:
    if len(request.raw_input_contents) != 1 or request.inputs[0].contents.ByteSize():
        raise InvalidArgument(
            "raw_input_contents",
            expected="one for each input, and then no typed contents",
            found=f"{len(request.raw_input_contents)} of them",
        )
    raw = request.raw_input_contents[0]
    if len(raw) != elements:
        raise InvalidArgument("raw_input_contents", expected=f"{elements} bytes", found=f"{len(raw)} bytes")
    return np.frombuffer(raw, np.uint8)
