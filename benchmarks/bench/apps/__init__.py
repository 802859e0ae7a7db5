"""What the users of each server would write: this project's two steps behind it."""
