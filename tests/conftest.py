"""Shared by every test: one thread, fixed seeds, and parts that need no discovery."""

import random

import numpy as np
import pytest
import torch
from hypothesis import settings

from tomoinr import builtin
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
