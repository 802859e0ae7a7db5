"""The data of training: manifests, decoded clips, splits and augmentations."""
