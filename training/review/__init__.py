"""Answers looked at by people: tasks for them, and what they said."""
