"""How the threads of this process wait for each other."""

from __future__ import annotations

from collections.abc import MutableMapping

SPINS = "3000"  # some ten microseconds; GNU's own choice is some milliseconds
SAID = {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"}


def wait_politely(environment: MutableMapping[str, str]) -> None:
    """Threads soon sleep, if nothing else was said; to be called before torch is imported.

    Left alone, they keep their cores busy while they wait: one other process on the machine makes
    a run take many times as long.
    """
    if not SAID & environment.keys():
        environment["GOMP_SPINCOUNT"] = SPINS
