"""The commands of `gif-train`; each checks its options and prints one result."""
