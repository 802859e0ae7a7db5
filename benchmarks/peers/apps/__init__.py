"""What each server's users write: this project's two steps behind it."""
