"""Teams of several processes: how they were launched, how they meet, talk and end.

`open_team` is called once, by the command line; libraries are given a team, or are one: `Solo`.
"""

from tomoinr.teams.ending import close, end
from tomoinr.teams.opening import open_team

__all__ = ["close", "end", "open_team"]
