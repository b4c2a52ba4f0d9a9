"""`tomoinr doctor`: what this machine and this launch offer, and what is wrong."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import version
from math import isinf
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console

from tomoinr.builtin.memory import free_memory
from tomoinr.errors import TomoinrError, reason
from tomoinr.plugins import Plugins
from tomoinr.team import Solo, Team
from tomoinr.teams import open_team
from tomoinr.teams.devices import Seen, look
from tomoinr.teams.launch import launched
from tomoinr.teams.libraries import mpi_library, nccl_version
from tomoinr.version import __version__

GIB = 2.0**30
Section = dict[str, str]


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Say what this machine and launch offer, and what is wrong; also under mpiexec or srun."""
    try:
        team, wrong = open_team(), []
    except TomoinrError as error:
        team, wrong = Solo(), [reason(error)]
        if launched(os.environ).rank:
            raise
    ranks = _ranks(team)
    if team.rank:
        return
    plugins = Plugins()
    found = {
        "software": _software(plugins),
        "machine": _machine(),
        "GPUs": _gpus(),
        "launch": _launch(team),
        "ranks": ranks,
        "not usable": {broken.plugin: broken.reason for broken in plugins.broken},
    }
    wrong += _wrong()
    if as_json:
        print(json.dumps(found | {"wrong": wrong}, indent=1, ensure_ascii=False))
    else:
        _print(found, wrong)
    raise typer.Exit(1 if wrong else 0)


def _software(plugins: Plugins) -> Section:
    """Versions."""
    own = {"tomoinr": __version__, "Python": platform.python_version()}
    libraries = {name: version(name) for name in ("torch", "numpy", "scipy")}
    return own | libraries | plugins.libraries()


def _machine() -> Section:
    free = free_memory(torch.device("cpu"))
    return {
        "system": platform.platform(),
        "cores": f"{len(look().cores)} to run on, torch uses {torch.get_num_threads()}",
        "memory": "unknown" if isinf(free) else f"{free / GIB:.1f} GiB free",
    }


def _gpus() -> Section:
    """Each GPU, and what else their use depends on."""
    found = {}
    for number in range(torch.cuda.device_count()):
        about = torch.cuda.get_device_properties(number)
        found[f"cuda:{number}"] = f"{about.name}, {about.total_memory / GIB:.0f} GiB"
    why = "none seen" if torch.version.cuda else "none: this torch comes without CUDA"
    return (found or {"torch": why}) | {
        "NCCL": nccl_version(),
    }


def _launch(team: Team) -> Section:
    """Who started this, and what MPI there is."""
    launch = launched(os.environ)
    by = f"{launch.size} by {launch.by}" if launch.size > 1 else "one"
    return {"processes": by, "team": type(team).__name__, "MPI": mpi_library()}


def _ranks(team: Team) -> Section:
    """Where each works."""
    seen: Seen = look()
    gpu = f", {team.device}" if team.device.type != "cpu" else ""
    mine = f"{seen.host}{gpu}, {torch.get_num_threads()} threads on {len(seen.cores)} cores"
    texts = torch.zeros(1, 256, dtype=torch.uint8, device=team.device)
    line = mine.encode()[:256]
    texts[0, : len(line)] = torch.tensor(list(line), dtype=torch.uint8)
    every = team.gather(texts).cpu().numpy()
    return {str(rank): bytes(row).rstrip(b"\0").decode() for rank, row in enumerate(every)}


def _wrong() -> Iterator[str]:
    """What a user should mend."""
    there = next(Path("/dev").glob("nvidia[0-9]*"), None)
    if there and not torch.cuda.is_available():
        made = "sees no GPU" if torch.version.cuda else "is made for CPUs alone"
        yield f"there is a GPU ({there}), but this torch {made}: look at nvidia-smi and the driver"


def _print(found: dict[str, Any], wrong: list[str]) -> None:
    console = Console(soft_wrap=True, highlight=False, markup=False)
    for title, section in found.items():
        if section:
            console.print(title)
        width = max(map(len, section), default=0)
        for name, text in section.items():
            console.print(f"  {name:{width}}  {text}")
    for line in wrong or ["nothing is wrong"]:
        console.print(f"wrong: {line}" if wrong else line)
    sys.stdout.flush()
