"""Checkpoints: what a run that is cut short goes on from; a page in the docs tells all."""

from tomoinr.checkpoint.checkpoints import Checkpoints, Stopped
from tomoinr.checkpoint.signals import Signals
from tomoinr.checkpoint.start import start_poses

__all__ = ["Checkpoints", "Signals", "Stopped", "start_poses"]
