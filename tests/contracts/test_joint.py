import pytest

from tomoinr.builtin.joint import Joint
from tomoinr.builtin.priors import TotalVariation
from tomoinr.testing import SolverContract


class TestJoint(SolverContract):
    @pytest.fixture
    def part(self):
        return Joint, {"steps": 60, "rate": 3.0}


class TestJointWithPrior(SolverContract):
    priors = (TotalVariation(TotalVariation.Options(weight=0.01)),)

    @pytest.fixture
    def part(self):
        return Joint, {"steps": 60, "rate": 3.0}
