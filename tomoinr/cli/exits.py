"""Exit codes that say more than that something went wrong."""

INTERRUPTED, TO_BE_RESUMED = 130, 75  # stopped by Ctrl-C, or by a signal with all kept


class Told(int):
    """An exit code whose reason has been printed."""
