"""Contract suites: what every part must keep to, for us and for anyone.

A suite is a class of tests. Subclass it, name your part in the fixture `part`, and run pytest:

    import pytest
    from tomoinr.testing import PoseModelContract
    from my_plugin import Wobble

    class TestWobble(PoseModelContract):
        @pytest.fixture
        def part(self):
            return Wobble  # or (Wobble, {"stiffness": 2.0})

Tolerances are class attributes, so a subclass states how exact its part is.
"""

# The plugin comes first: it asks pytest to explain the assertions of the modules after it.
from tomoinr.testing import pytest_plugin
from tomoinr.testing.formats import FormatContract
from tomoinr.testing.parts import AnyPart
from tomoinr.testing.poses import PoseModelContract
from tomoinr.testing.preparations import PreparationContract
from tomoinr.testing.priors import PriorContract
from tomoinr.testing.projectors import ProjectorContract
from tomoinr.testing.solvers import SolverContract
from tomoinr.testing.specimens import Ball, Gaussians
from tomoinr.testing.threads import ThreadTeam, together
from tomoinr.testing.volumes import VolumeContract

__all__ = [
    "AnyPart",
    "Ball",
    "FormatContract",
    "Gaussians",
    "PoseModelContract",
    "PreparationContract",
    "PriorContract",
    "ProjectorContract",
    "SolverContract",
    "ThreadTeam",
    "VolumeContract",
    "pytest_plugin",
    "together",
]
