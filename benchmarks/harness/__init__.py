"""What several benchmarks share: a timer, GIFs to measure with, and servers."""
