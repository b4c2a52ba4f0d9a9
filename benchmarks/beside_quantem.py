"""How long does quantEM take for its best, and how long do we take for the same?

quantEM's H-SIREN learns one noiseless tilt series; between batches its volume is scored against the
truth, off the clock. Then ours gets the same series in the same process, at rising quality until it
is as good. Ours has to find out by itself that the poses are right; quantEM is told so, unless
`--learn-poses`. Seconds are the processor's, on one thread, so that other work on the machine
counts little.

    pip install quantem==0.1.10
    OMP_NUM_THREADS=1 python benchmarks/beside_quantem.py --minutes 10

This script cannot be called quantem.py: it would then import itself.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from trials.cells import Case, Cell, load, take

import tomoinr
from tomoinr.metrics import score

try:
    import quantem
    from quantem.core.ml.inr import HSiren
    from quantem.tomography.dataset_models import TomographyINRDataset
    from quantem.tomography.object_models import ObjectINR
    from quantem.tomography.tomography_lite import TomographyLiteINR
except ImportError as error:
    sys.exit(f"quantEM cannot be imported ({error}); try: pip install quantem==0.1.10")

TARGET = 0.02  # of quantEM's time
QUALITIES = ("fast", "default", "best")


class Seen(NamedTuple):
    """A volume on the way, and when."""

    seconds: float
    ssim: float
    psnr: float


def main() -> None:
    args = arguments()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    case = load(take(Cell.parse(args.cell), args.size, args.seed, args.data))
    print(
        f"{args.cell}, {args.size}³ voxels, seed {args.seed}, one thread; tomoinr "
        f"{tomoinr.__version__}, quantEM {quantem.__version__}, torch {torch.__version__}"
    )
    theirs = list(race(quantem_volumes(case, args), case.truth, "quantEM"))
    best = max(theirs, key=lambda seen: seen.ssim)
    ours = list(race(our_volumes(case, best.ssim, args), case.truth, "ours"))
    told = verdict(best, ours) + ("; quantEM's was still rising" if best is theirs[-1] else "")
    print(told)
    if args.json:
        kept = {"options": vars(args), "quantem": theirs, "ours": ours, "verdict": told}
        args.json.write_text(json.dumps(kept, default=str, indent=1) + "\n")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--cell", default="nanoparticles-60-3-inf", help="of the quality benchmark")
    add("--size", type=int, default=48, help="voxels along each edge")
    add("--seed", type=int, default=0, help="of the specimen and of both methods")
    add("--data", type=Path, default=Path("quality/data"), help="folder of simulated series")
    add("--minutes", type=float, default=10, help="of quantEM's training")
    add("--every", type=int, default=23, help="batches of 1024 rays between two looks")
    add("--omega", type=float, help="of quantEM's first layer, without its noise; none: as it is")
    add("--rate", type=float, default=1e-4, help="step size of quantEM's Adam")
    add("--learn-poses", action="store_true", help="let quantEM learn poses, too")
    add("--json", type=Path, help="file for all figures")
    return parser.parse_args()


def race(
    volumes: Iterator[tuple[float, np.ndarray]], truth: np.ndarray, name: str
) -> Iterator[Seen]:
    """Score volumes as they come, each with the seconds that it took."""
    for seconds, voxels in volumes:
        seen = Seen(seconds, *score(voxels, truth))
        print(f"{name:8} {seconds:7.1f} s  SSIM {seen.ssim:.4f}  PSNR {seen.psnr:.2f}", flush=True)
        yield seen


def quantem_volumes(case: Case, args: argparse.Namespace) -> Iterator[tuple[float, np.ndarray]]:
    """quantEM's [y, z, x] volume, and the seconds of training behind it, every few batches.

    Its tilt axis is the images' first axis, and its angles run the other way: images are transposed
    and angles negated. Its `obj_view` is then ours as it is: both mirror, so nothing is mirrored.
    Projecting the phantom `asymmetric` along quantEM's rays gives our images, correlated by 0.999;
    with angles of the other sign, by 0.22.
    """
    tilts, rows, columns = case.series.shape
    if rows != columns or tilts > rows:
        sys.exit("quantEM's interface takes square images, no fewer pixels across than tilts")
    model, seconds = quantem_model(case, args), 0.0
    while seconds < 60 * args.minutes:
        begun = time.process_time()
        with redirect_stdout(io.StringIO()):
            model.reconstruct(
                num_iter=1, obj_lr=args.rate, num_workers=0, learn_pose=args.learn_poses
            )
        seconds += time.process_time() - begun
        yield seconds, model.obj_model.obj_view[0]


def quantem_model(case: Case, args: argparse.Namespace) -> Any:
    """What its simplest interface makes; or the same with another first layer."""
    images = case.series.images[0].transpose(1, 2).contiguous()
    angles = -case.series.angles.float()
    with redirect_stdout(io.StringIO()):
        if args.omega is None:
            model = TomographyLiteINR.from_dataset(images, angles, device="cpu", rng=args.seed)
        else:
            network = HSiren(first_omega_0=args.omega)
            shape = (args.size,) * 3
            model = TomographyLiteINR.from_models(
                dset=TomographyINRDataset.from_data(images, angles),
                obj_model=ObjectINR.from_model(network, shape, device="cpu", rng=args.seed),
                device="cpu",
                rng=args.seed,
            )
        model._rebuild_dataloader(batch_size=1024, num_workers=0, val_fraction=0)
    model.dataloader = Portions(model.dataloader, args.every)
    model.verbose = False
    return model


class Portions:
    """A loader that ends an epoch after a few batches, and goes on from there in the next."""

    def __init__(self, loader: Any, batches: int) -> None:
        self.loader, self.batches, self.rest = loader, batches, iter(loader)

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[Any]:
        for _ in range(self.batches):
            yield self.next()

    def next(self) -> Any:
        """The next batch, of a new epoch where one has ended."""
        batch = next(self.rest, None)
        if batch is None:
            self.rest = iter(self.loader)
            batch = next(self.rest)
        return batch


def our_volumes(
    case: Case, wanted: float, args: argparse.Namespace
) -> Iterator[tuple[float, np.ndarray]]:
    """Our [y, z, x] volume and its seconds, from the call on, up to the first that is as good."""
    for quality in QUALITIES:
        begun = time.process_time()
        voxels = tomoinr.reconstruct(case.series, quality=quality, seed=args.seed).voxels
        yield time.process_time() - begun, voxels
        if score(voxels, case.truth).ssim >= wanted:
            return


def verdict(best: Seen, ours: list[Seen]) -> str:
    """The comparison in words."""
    told = f"quantEM's best: SSIM {best.ssim:.4f} after {best.seconds:.0f} s"
    last = ours[-1]
    if last.ssim < best.ssim:
        return f"{told}; ours does not reach it ({last.ssim:.4f} after {last.seconds:.1f} s)"
    quality = QUALITIES[len(ours) - 1]
    return (
        f"{told}; ours ({quality}): {last.ssim:.4f} after {last.seconds:.1f} s; "
        f"ratio {last.seconds / best.seconds:.4f} (target: at most {TARGET:g})"
    )


if __name__ == "__main__":
    main()
