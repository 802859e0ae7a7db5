"""Name the show of a GIF over gRPC: `python examples/grpc_client.py GIF [HOST:PORT]`."""

import sys
from pathlib import Path

import grpc
from gif_analyzer.v1 import inference_pb2, inference_pb2_grpc, preprocess_pb2, preprocess_pb2_grpc

path, address = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "localhost:50051"
with grpc.insecure_channel(address) as channel:
    preprocess = preprocess_pb2_grpc.PreprocessServiceStub(channel)
    inference = inference_pb2_grpc.InferenceServiceStub(channel)
    try:
        gif = preprocess_pb2.DecodeGifRequest(gif=Path(path).read_bytes())
        clip = preprocess.DecodeGif(gif, timeout=30).clip
        answer = inference.Classify(inference_pb2.ClassifyRequest(clip=clip, top_k=3), timeout=30)
    except grpc.RpcError as error:
        sys.exit(f"{error.code().name}: {error.details()}")
lines = [answer.verdict.text, *(f"{show.probability:6.1%}  {show.show}" for show in answer.shows)]
sys.stdout.write("\n".join(lines) + "\n")
