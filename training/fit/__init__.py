"""Fitting a model: options, features, heads, cross-validation, and one run from clips to a fitted model."""
