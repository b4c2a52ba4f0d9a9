"""Several signals of one specimen: the strongest shows where edges are and how much is there."""

from tomoinr.builtin.fused.solver import Fused

__all__ = ["Fused"]
