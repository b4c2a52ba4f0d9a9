"""The command line: `tomoinr --help`."""

from tomoinr.cli.app import main

__all__ = ["main"]
