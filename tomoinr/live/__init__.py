"""What a run looks like while it goes on: observers for `reconstruct` and `run`."""

from tomoinr.live.page import LivePage
from tomoinr.live.preview import Preview
from tomoinr.live.progress import Progress
from tomoinr.live.tensorboard import TensorBoard
from tomoinr.live.watch import Watch

__all__ = ["LivePage", "Preview", "Progress", "TensorBoard", "Watch"]
