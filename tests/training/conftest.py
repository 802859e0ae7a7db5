"""What the tests of training share. TensorFlow is told to be quiet before anything imports it."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
