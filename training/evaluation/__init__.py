"""Evaluation of a recipe or a model on clips that it did not learn from."""
