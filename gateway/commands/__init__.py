"""The commands of `gif-analyzer`."""
