"""What people should look at: **predictions** -> the least certain, most wrong -> **Label Studio, FiftyOne**.

Both forms hold the GIFs themselves or point to them, so they stay on this machine, as all footage does.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from services.errors import os_reason
from training.errors import InvalidAnnotations
from training.evaluation.predictions import Prediction
from training.files import replacing, write_json, write_text

CHOICE, IMAGE = "show", "gif"  # names of the control and of what it is about, in Label Studio
NONE_OF_THESE = "none of these"
LOCAL_FILES = "/data/local-files/?d="  # how Label Studio names files below its document root


def label_config(shows: Sequence[str]) -> str:
    """Label Studio's labelling interface: the GIF, and one show to choose."""
    choices = "\n".join(f"    <Choice value={quoteattr(show)}/>" for show in (*shows, NONE_OF_THESE))
    return (
        f'<View>\n  <Image name="{IMAGE}" value="${IMAGE}"/>\n'
        f'  <Header value="In the manifest: $manifest_show"/>\n'
        f'  <Choices name="{CHOICE}" toName="{IMAGE}" choice="single" showInline="true">\n'
        f"{choices}\n  </Choices>\n</View>\n"
    )


def tasks(
    predictions: Sequence[Prediction], root: Path, *, model_version: str = "gif-train"
) -> list[dict[str, Any]]:
    """Tasks with what the model said.

    Args:
        predictions: of the GIFs to review.
        root: Label Studio's LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT, above all of the GIFs.
        model_version: shown beside the prediction.

    Raises:
        InvalidAnnotations: a GIF does not lie below the root.
    """
    found = []
    for each in predictions:
        try:
            place = each.path.resolve().relative_to(root.resolve()).as_posix()
        except ValueError:
            raise InvalidAnnotations(str(each.path), f"it does not lie below {root}") from None
        result = {
            "id": each.sha256[:10],
            "from_name": CHOICE,
            "to_name": IMAGE,
            "type": "choices",
            "value": {"choices": [each.named]},
        }
        found.append(
            {
                "data": {
                    IMAGE: f"{LOCAL_FILES}{quote(place)}",
                    "sha256": each.sha256,
                    "manifest_show": each.show,
                },
                "predictions": [
                    {"model_version": model_version, "score": round(each.confidence, 6), "result": [result]}
                ],
            }
        )
    return found


def write_label_studio(
    predictions: Sequence[Prediction], out: Path, root: Path, *, model_version: str = "gif-train"
) -> None:
    """Write tasks.json and config.xml into a folder.

    Raises:
        InvalidAnnotations: as `tasks`.
    """
    made = tasks(predictions, root, model_version=model_version)
    shows = sorted({show for each in predictions for show in (*each.probabilities, each.show)})
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "tasks.json", made, ensure_ascii=False)
    write_text(out / "config.xml", label_config(shows))


def write_fiftyone(predictions: Sequence[Prediction], out: Path) -> None:
    """Write a folder that FiftyOne reads as `fiftyone.types.LegacyFiftyOneDataset`.

    metadata.json, samples.json, and the GIFs in data/, named by their digest.

    Raises:
        InvalidAnnotations: a GIF cannot be read.
    """
    data = out / "data"
    data.mkdir(parents=True, exist_ok=True)
    samples = []
    for each in predictions:
        name = f"{each.sha256}.gif"
        try:
            with replacing(data / name) as partial:
                shutil.copyfile(each.path, partial)
        except OSError as error:
            raise InvalidAnnotations(str(each.path), f"it cannot be read: {os_reason(error)}") from error
        samples.append(
            {
                "filepath": f"data/{name}",
                "tags": ["review"],
                "ground_truth": _classification(each.show),
                "prediction": {
                    **_classification(each.named),
                    "confidence": each.confidence,
                },
                "called_unknown": not each.known,
                "entropy": each.entropy,
                "group_name": each.group,
                "sha256": each.sha256,
            }
        )
    metadata = {
        "name": "gif-review",
        "media_type": "image",
        "info": {"classes": sorted({show for each in predictions for show in each.probabilities})},
    }
    write_json(out / "metadata.json", metadata, ensure_ascii=False)
    write_json(out / "samples.json", {"samples": samples}, ensure_ascii=False)


def sha256_of(path: Path) -> str:
    """Digest of a file, hexadecimal.

    Raises:
        InvalidAnnotations: it cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InvalidAnnotations(str(path), f"it cannot be read: {os_reason(error)}") from error


def _classification(label: str) -> dict[str, Any]:
    return {"_cls": "Classification", "tags": [], "label": label}
