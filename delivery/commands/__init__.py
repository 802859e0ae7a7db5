"""The commands of gif-deliver."""
