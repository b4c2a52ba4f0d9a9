"""What the bridge itself takes: one copy of the data, in the order that we hold them."""

import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest

from tomoinr import Plugins
from tomoinr_tomopy import sirt, solve


@pytest.fixture
def peak(monkeypatch):
    """Bytes of arrays that were made until the reconstruction began, and after it."""

    def measured(tomo, center, recon, theta):
        result = SimpleNamespace(voxels=np.float32(1))
        monkeypatch.setattr(solve, "reconstruct", lambda series, **arguments: result)
        tracemalloc.start()
        sirt(tomo, center, recon, theta)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    return measured


def arrays():
    """4 MB of sinograms and 8 MB of volume: what Python itself needs does not count beside them."""
    Plugins()  # imports them
    tomo, recon = np.ones((64, 90, 180), np.float32), np.zeros((64, 180, 180), np.float32)
    return tomo, np.full(64, 90, np.float32), recon, np.linspace(0, 3, 90, dtype=np.float32)


def test_the_data_are_copied_once_and_the_volume_not_at_all(peak):
    tomo, _, recon, _ = given = arrays()
    assert tomo.nbytes < peak(*given) < 1.1 * tomo.nbytes
    assert (recon == 1).all()


def test_slabs_are_put_together_without_a_copy(peak):
    tomo, center, recon, theta = arrays()
    slabs = [(tomo[k : k + 16], center[k : k + 16], recon[k : k + 16]) for k in (0, 16, 32, 48)]
    assert sum(peak(*slab, theta) for slab in slabs) < 1.2 * tomo.nbytes


def test_a_start_is_not_copied_either(peak):
    tomo, center, recon, theta = arrays()
    recon += 1
    assert peak(tomo, center, recon, theta) < 1.1 * tomo.nbytes
