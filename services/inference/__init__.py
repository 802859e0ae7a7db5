"""Step two: a `Clip` to ranked shows."""
