"""Slices split among threads are solved once, as a whole, or the call to use instead is named."""

import threading
import time

import numpy as np
import pytest

from tomoinr import TomoinrError
from tomoinr_tomopy import Algorithm, sirt, tv
from tomoinr_tomopy.slabs import JOBS, Slab, whole_once

CALL = "tomopy.recon(…, ncore=1)"


def arrays(slices=8):
    """As TomoPy has them: sinograms, centres, volume."""
    return Slab(
        np.arange(slices * 12, dtype=np.float32).reshape(slices, 3, 4).copy(),
        np.full(slices, 2, np.float32),
        np.full((slices, 4, 4), 1e-6, np.float32),
    )


def part(whole, first, last):
    return Slab(*(array[first:last] for array in whole))


class Solver:
    """Counts its calls, and writes to every slice its number."""

    def __init__(self, error=None):
        self.calls, self._error = [], error

    def __call__(self, slab):
        self.calls.append(slab)
        if self._error:
            raise self._error
        slab.recon[...] = np.arange(len(slab.recon))[:, None, None]


@pytest.mark.parametrize(("slabs", "threads"), [(2, 2), (4, 2), (3, 1), (9, 3)])
def test_splitting_changes_nothing(acquired, recon, slabs, threads):
    data = acquired((9, 12, 12))
    whole = recon(data.proj, data.theta, tv, num_iter=12)
    split = recon(data.proj, data.theta, tv, slabs=slabs, threads=threads, num_iter=12)
    assert np.array_equal(split, whole)


def test_splitting_changes_no_poses_either(acquired, recon):
    data, algorithm = acquired((4, 12, 12)), Algorithm(steps=10)
    whole, split = (recon(data.proj, data.theta, algorithm, slabs=n, threads=n) for n in (1, 3))
    assert np.array_equal(split, whole)


def test_a_slab_by_itself_would_give_something_else(acquired, recon):
    data = acquired((9, 12, 12))
    whole = recon(data.proj, data.theta, tv, num_iter=12)
    alone = recon(data.proj[:, :4].copy(), data.theta, tv, num_iter=12)
    assert np.abs(whole[:4] - alone).max() > 0.01 * whole.max()


def test_the_first_solves_and_the_others_wait(acquired):
    whole, solve = arrays(), Solver()

    def slowly(slab):
        time.sleep(0.05)
        solve(slab)

    seen = []

    def arrive(first):
        mine = part(whole, first, first + 2)
        whole_once(mine, CALL, slowly)
        seen.append(float(mine.recon.mean()))

    threads = [threading.Thread(target=arrive, args=(first,)) for first in (4, 0, 6, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(solve.calls) == 1
    assert sorted(seen) == [0.5, 2.5, 4.5, 6.5]
    assert [a.shape for a in solve.calls[0]] == [a.shape for a in whole]


def test_the_next_call_on_the_same_volume_is_solved_again():
    whole, solve = arrays(), Solver()
    for _ in range(3):
        for first in (0, 4):
            whole_once(part(whole, first, first + 4), CALL, solve)
    assert len(solve.calls) == 3


def test_a_failure_reaches_every_thread_and_is_forgotten_after():
    whole, solve = arrays(), Solver(TomoinrError("no good"))
    for first in (0, 4):
        with pytest.raises(TomoinrError, match="no good"):
            whole_once(part(whole, first, first + 4), CALL, solve)
    assert len(solve.calls) == 1
    good = Solver()
    for first in (0, 4):
        whole_once(part(whole, first, first + 4), CALL, good)
    assert len(good.calls) == 1
    assert not JOBS._jobs


def test_a_call_that_was_broken_off_does_not_stand_for_the_next():
    whole = arrays()
    with pytest.raises(TomoinrError):
        whole_once(part(whole, 0, 4), CALL, Solver(TomoinrError("no good")))
    solve = Solver()
    for first in (0, 4):
        whole_once(part(whole, first, first + 4), CALL, solve)
    assert len(solve.calls) == 1
    assert whole.recon[7].mean() == 7


@pytest.mark.parametrize("names", [("tomo",), ("center",), ("recon",), ("tomo", "recon")])
def test_all_slices_are_all_though_the_users_arrays_are_parts_of_larger_ones(names):
    """With ncore=1 nothing beside them is read or written."""
    whole = arrays(4)
    larger = {name: np.concatenate([getattr(whole, name)] * 3) for name in names}
    given = whole._replace(**{name: array[4:8] for name, array in larger.items()})
    solve = Solver()
    whole_once(part(given, 0, 4), CALL, solve)
    assert [len(array) for array in solve.calls[0]] == [4, 4, 4]


@pytest.mark.parametrize("name", ["tomo", "center", "recon"])
@pytest.mark.parametrize("start", [0, 4])
def test_a_slab_of_such_arrays_is_refused_with_the_call_to_use(name, start):
    whole = arrays(4)
    larger = np.concatenate([getattr(whole, name)] * 3)
    given = whole._replace(**{name: larger[start : start + 4]})
    for first in (0, 2):
        with pytest.raises(TomoinrError, match=r"split the slices.*call tomopy\.recon\(.*ncore=1"):
            whole_once(part(given, first, first + 2), CALL, Solver())


def test_arrays_of_ones_own_need_no_whole():
    solve = Solver()
    whole_once(arrays(3), CALL, solve)
    assert len(solve.calls) == 1


def test_single_slices_are_refused_by_name():
    whole = arrays()
    with pytest.raises(TomoinrError, match=r"nchunk=0.*call tomopy\.recon"):
        sirt(whole.tomo[0], whole.center[0], whole.recon[0], np.zeros(3), options={})
