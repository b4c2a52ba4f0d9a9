"""Shared by every test: one thread, fixed seeds, and parts that need no discovery."""

import random
import sys

import numpy as np
import pytest
import torch
from hypothesis import settings

from tomoinr import builtin, cli
from tomoinr.builtin.simulate import Acquisition, simulate
from tomoinr.cli.simulation import write_simulation
from tomoinr.plugins import Plugins

torch.set_num_threads(1)
# The same examples every time, however slow or loaded the machine is.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")


@pytest.fixture(autouse=True)
def seeds() -> None:
    """A test's random numbers do not depend on the tests before it."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def plugins() -> Plugins:
    """The built-in parts alone, whatever is installed."""
    return Plugins(builtin, installed=False)


@pytest.fixture(scope="session")
def simulated(tmp_path_factory):
    """A folder with stack.mrc, stack.rawtlt, truth.mrc and truth.json: 13 tilts, 24 pixels."""
    folder = tmp_path_factory.mktemp("simulated")
    acquisition = Acquisition(tuple(range(-60, 61, 10)), dose=50, shift=1.0)
    write_simulation(simulate("nanoparticles", (24, 24, 24), acquisition, 0), folder, False)
    return folder


@pytest.fixture
def program(monkeypatch, capsys):
    """Runs a command in this process; returns exit code, stdout and stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["tomoinr", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code, *capsys.readouterr()

    return run
