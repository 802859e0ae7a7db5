"""The model registry: versions and aliases in MLflow, and the gate that a challenger has to pass."""
