"""From a manifest of GIFs to a model file."""
