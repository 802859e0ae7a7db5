"""Image networks with pretrained weights, heads, and the Keras model made of both."""
