"""Fetches GIFs from addresses on the public internet."""
