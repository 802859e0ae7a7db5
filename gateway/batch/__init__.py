"""Answers for millions of GIFs, computed by workers on Daft and written into one file."""
