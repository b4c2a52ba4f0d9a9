"""What ranks of a team must know alike: whether to stop, and what a checkpoint holds."""

from __future__ import annotations

import json
from typing import Any

import torch
from torch import Tensor

from tomoinr.checkpoint.nested import flattened, restored
from tomoinr.checkpoint.signals import NAMES
from tomoinr.team import Team

PORTION = 1 << 28  # bytes that travel at once


def agreed(team: Team, signal: str | None, due: bool) -> tuple[str | None, bool]:
    """The signal that any rank has had, and whether rank 0 says that it is time."""
    flags = torch.zeros(len(NAMES) + 1, device=team.device)
    if signal:
        flags[NAMES.index(signal)] = 1
    if due and team.rank == 0:
        flags[-1] = 1
    team.sum_([flags])
    *heard, time = flags.tolist()
    return next((name for name, count in zip(NAMES, heard, strict=True) if count), None), time > 0


def shared(team: Team, value: Any) -> Any:
    """Rank 0's nested value, on every rank; tensors are in the host's memory."""
    plain, tensors = flattened(value)
    kinds = [[name, str(t.dtype).split(".")[1], list(t.shape)] for name, t in tensors.items()]
    plain, kinds = json.loads(_text(team, json.dumps([plain, kinds])))
    for name, dtype, shape in kinds:
        mine = tensors[name] if team.rank == 0 else torch.empty(shape, dtype=getattr(torch, dtype))
        tensors[name] = _copied(team, mine)
    return restored(plain, tensors)


def _text(team: Team, text: str) -> str:
    """Rank 0's."""
    content = torch.frombuffer(bytearray(text, "utf-8"), dtype=torch.uint8)
    size = torch.tensor([len(content)], device=team.device)
    team.copy_([size])
    content = content if team.rank == 0 else content.new_empty(int(size))
    return bytes(_copied(team, content).numpy()).decode()


def _copied(team: Team, tensor: Tensor) -> Tensor:
    """Rank 0's, a portion at a time, as bytes: every kind of team can carry those."""
    tensor = tensor.contiguous()
    for part in tensor.view(-1).view(torch.uint8).split(PORTION):
        there = part.to(team.device)
        team.copy_([there])
        part.copy_(there)
    return tensor
