"""This project measured: beside its peers, and against its own promises."""
