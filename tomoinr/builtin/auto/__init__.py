"""The automatic solver: a plan of stages, each of which sets out from what the last one found."""

from tomoinr.builtin.auto.solver import Auto

__all__ = ["Auto"]
