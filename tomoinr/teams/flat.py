"""Many tensors as one: a call for each costs more than what it carries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor


def flattened(tensors: Iterable[Tensor]) -> Iterator[tuple[Tensor, list[Tensor]]]:
    """One flat tensor for each type and device; a single contiguous one is not copied."""
    kinds: dict[tuple[torch.dtype, torch.device], list[Tensor]] = defaultdict(list)
    for tensor in tensors:
        if tensor.numel():
            kinds[tensor.dtype, tensor.device].append(tensor.detach())
    for some in kinds.values():
        if len(some) == 1 and some[0].is_contiguous():
            yield some[0].view(-1), []
        else:
            yield torch.cat([tensor.reshape(-1) for tensor in some]), some


def unflatten(flat: Tensor, tensors: list[Tensor]) -> None:
    """Each tensor's numbers, back in place."""
    parts = flat.split([tensor.numel() for tensor in tensors]) if tensors else ()
    for tensor, part in zip(tensors, parts, strict=True):
        tensor.copy_(part.view(tensor.shape))
