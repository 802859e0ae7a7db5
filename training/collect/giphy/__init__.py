"""Giphy's API: its client, its options, what it answers."""
