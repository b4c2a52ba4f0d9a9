"""The command line: `tomoinr --help`."""

import sys


def main() -> None:
    """Run a command; Ctrl-C ends in a word even while the libraries are being imported."""
    try:
        from tomoinr.cli.app import run

        code = run()
    except KeyboardInterrupt:
        print("tomoinr: stopped", file=sys.stderr)
        code = 130
    sys.exit(code)
