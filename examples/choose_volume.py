"""Which volume suits a tilt series? Images that were left out judge; here the truth judges as well.

Voxels, networks of two frequencies and feature grids are each reconstructed from seven images in
eight and predict the eighth. What speaks for a choice is its misfit; the similarity to the truth
(SSIM, of the same choice on all images) is for comparison, and no series of a specimen has it.
"""

import argparse

import tomoinr
from tomoinr.builtin.simulate import Acquisition, simulate
from tomoinr.metrics import score
from tomoinr.trust import held_out

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--phantom", default="nanoparticles", help="or core_shell, dendrite, …")
parser.add_argument("--size", type=int, default=32, help="voxels of the specimen's edges")
parser.add_argument("--dose", type=float, default=20, help="mean counts per pixel")
parser.add_argument("--steps", type=int, help="of each solver; none: as many as it likes")
args = parser.parse_args()

NETWORK = {"solver": "joint", "poses": "fixed", "steps": args.steps}
CHOICES = {
    "voxels (auto)": {"poses": "fixed", "steps": args.steps},
    "siren, ω = 10": {"volume": {"name": "siren", "omega": 10.0}, **NETWORK},
    "siren, ω = 40": {"volume": {"name": "siren", "omega": 40.0}, **NETWORK},
    "grid": {"volume": "grid", **NETWORK},
}

acquisition = Acquisition(tuple(range(-60, 61, 3)), dose=args.dose)
taken = simulate(args.phantom, (args.size,) * 3, acquisition, seed=0)
series = taken.series()
ranked = held_out(series, CHOICES)

print(f"{'choice':15}{'misfit':>8}{'behind the best by':>21}{'SSIM':>8}{'seconds':>9}")
for choice in ranked:
    ssim = score(tomoinr.reconstruct(series, **CHOICES[choice.name]).voxels, taken.truth).ssim
    behind = f"{choice.behind:.4f} ± {choice.behind_error:.4f}"
    print(f"{choice.name:15}{choice.misfit:8.4f}{behind:>21}{ssim:8.4f}{choice.seconds:9.1f}")

best, *others = ranked
equal = ", ".join(choice.name for choice in others if not choice.beaten)
print(f"{best.name} wins" + (f", but not clearly against {equal}" if equal else ""))
