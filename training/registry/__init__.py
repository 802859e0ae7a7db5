"""The model registry in MLflow, and the gate that a challenger has to pass."""
