#!/usr/bin/env bash
# Name the show of a GIF over gRPC, from the shell: examples/grpc_client.sh GIF [HOST:PORT]
# grpcurl (https://github.com/fullstorydev/grpcurl) learns the contract from the server itself, by reflection.
set -euo pipefail
address=${2:-localhost:50051}
{ printf '{"gif": "'; base64 < "$1" | tr -d '\n'; printf '"}'; } |
	grpcurl -plaintext -d @ "$address" gif_analyzer.v1.PreprocessService/DecodeGif |
	grpcurl -plaintext -allow-unknown-fields -d @ "$address" gif_analyzer.v1.InferenceService/Classify
