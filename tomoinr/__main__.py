"""`python -m tomoinr`: the command line."""

from tomoinr.cli import main

main()
