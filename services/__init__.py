"""The two steps of GIF Analyzer: `services.preprocess` and `services.inference`."""
