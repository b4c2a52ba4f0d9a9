"""What ranks say to each other; rank 0 writes what came of it to the file named."""

import json
import sys
from pathlib import Path

import torch

from tomoinr.data import TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.teams import close, open_team

team = open_team()
rank, size = team.rank, team.size
found = {"size": size, "kind": type(team).__name__, "threads": torch.get_num_threads()}

ones = [torch.full((3, 2), rank + 1.0), torch.tensor(rank), torch.full((2,), 0.5).bfloat16()]
ones.append(torch.arange(6.0).reshape(2, 3).T)  # not contiguous
team.sum_(ones)
found["sums"] = [one.flatten().tolist() for one in ones]

theirs = [torch.full((2, 2), float(rank)), torch.tensor([rank == 0]), torch.tensor(rank + 7)]
team.copy_(theirs)
found["copies"] = [one.flatten().tolist() for one in theirs]

found["gathered"] = team.gather(torch.full((rank, 2), float(rank))).tolist()
found["nothing"] = list(team.gather(torch.zeros(0, 4)).shape)

mine = torch.full((2, 3), float(rank))
before, after = team.swap(mine.T, mine.T + 0.5)  # not contiguous
found["swapped"] = team.gather(torch.stack((before[0, 0], after[2, 1]))[None]).tolist()

worked = team.first(lambda: f"rank {rank} of {size}")
said = team.gather(torch.tensor([worked is None]))
found["first"] = [worked, *said.tolist()[1:]]


def wrong():
    raise TomoinrError("stack.mrc: no such thing")


def missing():
    return Path("/nowhere/at/all").read_text()


for work in (wrong, missing):
    for way in (team.first, team.once_a_node):
        try:
            way(work)
            told = "nothing"
        except (TomoinrError, OSError) as error:
            told = str(error)
        team.first(lambda: None)
        alike = torch.tensor([len(told)])
        team.sum_([alike])
        found.setdefault("told", []).append([told, int(alike) == size * len(told)])

marks = torch.zeros(size)


def read():
    marks[rank] = 1
    images = torch.arange(20 * 64 * 64.0).reshape(20, 64, 64)
    return TiltSeries(images, torch.linspace(-60, 60, 20), source="a stack"), {"small": rank}


series, small = team.once_a_node(read)
team.sum_([marks])
total = series.images.sum()[None].clone()
series.images[0, 0, 0, 0] = rank + 5  # stays this rank's own
corners = team.gather(series.images[0, 0, 0, :1].clone())
sums = team.gather(total)
found["read"] = [marks.tolist(), small, sums.tolist(), corners.tolist(), series.source]
found["left"] = [p.name for p in Path("/dev/shm").glob("tomoinr-*")] if size > 1 else []

if rank == 0:
    Path(sys.argv[1]).write_text(json.dumps(found))
close()
