"""Make every part by hand, add one of your own, and watch the loss: no names, no recipe."""

import argparse

import tomoinr
from tomoinr.builtin.fixed import Fixed
from tomoinr.builtin.joint import Joint
from tomoinr.builtin.simulate import Acquisition, simulate
from tomoinr.builtin.slices import Slices
from tomoinr.builtin.voxels import Voxels
from tomoinr.loop import run
from tomoinr.options import NoOptions


class Curvature(tomoinr.Prior):
    """Little bending: unlike total variation it leaves gentle slopes alone."""

    name = "curvature"

    def __init__(self, weight: float) -> None:
        self.weight = weight

    def penalty(self, voxels):
        """The mean size of the second differences along y, z and x."""
        bends = sum(voxels.diff(n=2, dim=dim).abs().sum() for dim in (1, 2, 3))
        return self.weight * bends / voxels.numel()


def tell(record, problem):
    """Called after every logged step; `problem` holds the parts as they are by then."""
    if record.step % 20 == 0:
        densest = float(problem.voxels().max())
        print(f"step {record.step:4}  loss {record.loss:.5f}  densest voxel {densest:.2f}")


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--size", type=int, default=32, help="voxels of the specimen's edges")
parser.add_argument("--steps", type=int, default=200, help="of the solver")
args = parser.parse_args()

acquisition = Acquisition(angles=tuple(range(-60, 61, 3)), dose=50)
series = simulate("core_shell", (args.size,) * 3, acquisition, seed=0).series()

grid = series.grid()
problem = tomoinr.Problem(
    series=series,
    grid=grid,
    volume=Voxels(Voxels.Options(), grid),
    poses=Fixed(NoOptions(), tomoinr.Poses.of(series.angles.float()), grid),
    projector=Slices(Slices.Options(), grid),
    priors=(Curvature(weight=0.02),),
)
result = run(problem, Joint(Joint.Options(steps=args.steps)), observers=[tell])
print(f"voxels {result.voxels.shape} [y, z, x], from {result.voxels.min():.2f} up")
