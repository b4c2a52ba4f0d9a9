"""Teams of several processes: how they were launched, how they meet, talk and end.

`open_team` is called once, by the command line; libraries are given a team, or are one: `Solo`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tomoinr.teams.ending import close, end
    from tomoinr.teams.opening import open_team

__all__ = ["close", "end", "open_team"]


def __getattr__(name: str) -> Any:
    """Imported when it is asked for: how a program was launched is known without torch."""
    if name in __all__:
        home = "opening" if name == "open_team" else "ending"
        return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
