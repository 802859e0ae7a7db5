"""What people would use instead: decoders, runtimes, servers, and whole lines made of them."""
