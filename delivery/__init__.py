"""From a model file to a service in AWS Lambda: the bundle, and which version of it users get."""
