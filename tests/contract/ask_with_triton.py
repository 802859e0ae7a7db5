"""A program of its own: ask a server with unmodified tritonclient, and print what it answers as JSON.

ADDRESS CLIP.npy -> {"live", "ready", "model_ready", "server", "metadata", "outputs": {name: {...}}, "errors"}
"""

import json
import sys

import numpy as np
import tritonclient.grpc as triton


def ask(client, clip, *, name="clip", datatype="UINT8", model="mean-colour", version="", outputs=None):
    tensor = triton.InferInput(name, list(clip.shape), datatype)
    tensor.set_data_from_numpy(clip)
    wanted = None if outputs is None else [triton.InferRequestedOutput(output) for output in outputs]
    return client.infer(model, [tensor], model_version=version, outputs=wanted, request_id="42")


def describe(output):
    told = {"dtype": str(output.dtype), "shape": output.shape}
    if output.dtype == object:
        return {**told, "text": [text.decode() for text in output.ravel()]}
    return {**told, "hex": output.tobytes().hex()}


def main():
    address, path = sys.argv[1:]
    clip = np.load(path)[np.newaxis]
    client = triton.InferenceServerClient(address)
    answer = ask(client, clip)
    names = [output.name for output in answer.get_response().outputs]
    errors = {}
    wrong = {
        "model": {"model": "resnet"},
        "version": {"version": "9"},
        "name": {"name": "image"},
        "output": {"outputs": ["logits"]},
        "shape": {"clip": clip[:, :9]},
        "batch": {"clip": np.repeat(clip, 9, axis=0)},
        "dtype": {"clip": clip.astype(np.float32), "datatype": "FP32"},
    }
    for kind, options in wrong.items():
        try:
            ask(client, options.pop("clip", clip), **options)
        except triton.InferenceServerException as error:
            errors[kind] = {"code": error.status(), "message": error.message()}
    batch = ask(
        client, np.concatenate([clip, clip[:, ::-1]]), outputs=["probabilities", "familiarity", "verdict"]
    )
    json.dump(
        {
            "live": client.is_server_live(),
            "ready": client.is_server_ready(),
            "model_ready": client.is_model_ready("mean-colour"),
            "other_ready": client.is_model_ready("resnet"),
            "server": client.get_server_metadata(as_json=True),
            "metadata": client.get_model_metadata("mean-colour", as_json=True),
            "id": answer.get_response().id,
            "outputs": {name: describe(answer.as_numpy(name)) for name in names},
            "batch": {
                output.name: list(batch.as_numpy(output.name).shape)
                for output in batch.get_response().outputs
            },
            "errors": errors,
        },
        sys.stdout,
    )


main()
