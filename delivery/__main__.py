"""`python -m delivery` is `gif-deliver`."""

from delivery.cli import main

main()
