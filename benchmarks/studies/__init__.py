"""Benchmarks of single parts of this project, one module each."""
