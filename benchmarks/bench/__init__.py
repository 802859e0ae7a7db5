"""`make bench`: this project beside the libraries and servers that people would use instead."""
