"""Training: options, features, heads, fine-tuning, and one run from clips to a fitted model."""
