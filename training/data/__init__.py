"""What a model learns from: manifests, decoded clips, how they are split, and how they are changed."""
