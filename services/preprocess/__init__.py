"""Step one: GIF bytes to a `Clip`."""
