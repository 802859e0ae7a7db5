"""Collects GIFs from Giphy, folders and videos, and groups those that show the same seconds."""
