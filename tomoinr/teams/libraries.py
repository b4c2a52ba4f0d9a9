"""What there is to talk by, in words."""

from __future__ import annotations

from importlib.metadata import version
from importlib.util import find_spec

import torch
from torch import distributed

from tomoinr.errors import reason


def nccl_version() -> str:
    """Of the NCCL that comes with torch."""
    if distributed.is_available() and distributed.is_nccl_available():
        return ".".join(map(str, torch.cuda.nccl.version()))
    return "not in this torch"


def mpi_library() -> str:
    """The MPI that Python finds, or how to get one."""
    if not find_spec("mpi4py"):
        return "mpi4py is not installed (pip install 'tomoinr[mpi]'); one process needs none"
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        return f"mpi4py {version('mpi4py')} finds no MPI library ({reason(error)})"
    library = " ".join(MPI.Get_library_version().splitlines()[0].split())
    return f"{library.rstrip(',')}, mpi4py {version('mpi4py')}"
