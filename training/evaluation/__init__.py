"""How good a recipe or a model is, on clips that it never saw."""
