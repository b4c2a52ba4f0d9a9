"""What launchers say, who sits where, and values that processes share; no process is started."""

import os
import subprocess
import sys

import pytest
import torch

from tomoinr.errors import TomoinrError
from tomoinr.teams.devices import Seen, look, plan
from tomoinr.teams.flat import flattened, unflatten
from tomoinr.teams.launch import Launch, launched
from tomoinr.teams.meeting import meet
from tomoinr.teams.sharing import packed, unpacked
from tomoinr.teams.waiting import wait_politely


@pytest.mark.parametrize(
    ("environment", "launch"),
    [
        ({}, Launch("", 0, 1)),
        ({"PMI_RANK": "2", "PMI_SIZE": "4"}, Launch("mpiexec or srun", 2, 4)),
        (
            {"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2"},
            Launch("Open MPI's mpiexec", 1, 2),
        ),
        ({"RANK": "3", "WORLD_SIZE": "8"}, Launch("torchrun", 3, 8)),
        ({"SLURM_PROCID": "5", "SLURM_STEP_NUM_TASKS": "6"}, Launch("srun", 5, 6)),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "6"}, Launch("", 0, 1)),  # a batch script
        (
            {"SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "2", "PMI_RANK": "3", "PMI_SIZE": "4"},
            Launch("mpiexec or srun", 3, 4),
        ),
        ({"PMI_RANK": "x", "PMI_SIZE": "4"}, Launch("", 0, 1)),
    ],
)
def test_launchers_are_told_apart(environment, launch):
    assert launched(environment) == launch


def seen(host, *gpus, nccl=True, cores=range(8)):
    return Seen(host, "boot", gpus, nccl, tuple(cores))


def test_cpus_share_their_cores():
    seats = plan([seen("a"), seen("b"), seen("a"), seen("a", cores=(8, 9))])
    assert [seat.device for seat in seats] == ["cpu"] * 4
    assert [seat.threads for seat in seats] == [4, 8, 4, 2]
    assert [seat.node for seat in seats] == [(0, 2, 3), (1,), (0, 2, 3), (0, 2, 3)]


def test_hosts_of_one_name_are_two_nodes_after_other_boots():
    seats = plan([seen("a"), seen("a")._replace(boot="another")])
    assert [seat.node for seat in seats] == [(0,), (1,)]


def test_every_rank_gets_a_gpu_of_its_own():
    both = ("u0", "u1")
    seats = plan([seen("a", *both), seen("b", *both), seen("a", *both), seen("b", *both)])
    assert [seat.device for seat in seats] == ["cuda:0", "cuda:0", "cuda:1", "cuda:1"]


def test_a_rank_that_sees_only_its_own_gpu_takes_it():
    assert [s.device for s in plan([seen("a", "u0"), seen("a", "u1")])] == ["cuda:0", "cuda:0"]


@pytest.mark.parametrize(
    ("everyone", "message"),
    [
        ([seen("a", "u0"), seen("a", "u0")], "ranks 0 and 1 would share a GPU of a.*most 1 rank a"),
        ([seen("a", "u0", "u1")] * 3, "ranks 0 and 2 would share .*at most 2 ranks a node"),
        ([seen("a", "u0"), seen("b")], "rank 0 on a has GPUs, but b has none: .*CUDA_VISIBLE"),
        ([seen("a", "u0", nccl=False), seen("b", "u0", nccl=False)], "without NCCL"),
    ],
)
def test_what_cannot_work_is_refused_with_the_cure(everyone, message):
    with pytest.raises(TomoinrError, match=message):
        plan(everyone)


def test_one_rank_needs_no_nccl():
    assert plan([seen("a", "u0", nccl=False)])[0].device == "cuda:0"


def test_this_machine_is_seen():
    mine = look()
    assert mine.host and len(mine.cores) >= 1
    assert plan([mine])[0].threads == len(mine.cores)


def test_ranks_that_cannot_reach_the_first_are_named():
    with pytest.raises(
        TomoinrError, match=r"rank 0 on a cannot be reached at .* by rank 2 on c: open"
    ):
        meet(0, ("a", "b", "c"), lambda said: said, lambda mine: [mine, mine, []], 5.0)


def test_the_first_rank_is_met_where_all_reach_it(monkeypatch):
    monkeypatch.setattr("tomoinr.teams.meeting._addresses", lambda: ["127.0.0.2", "127.0.0.1"])
    monkeypatch.delenv("NCCL_SOCKET_IFNAME", raising=False)
    monkeypatch.delenv("GLOO_SOCKET_IFNAME", raising=False)
    store = meet(0, ("a", "b"), lambda said: said, lambda mine: [mine, ["127.0.0.1"]], 5.0)
    store.set("key", "word")
    assert store.get("key") == b"word"


def test_tensors_travel_together_and_come_back():
    tensors = [torch.rand(2, 3).T, torch.rand(()), torch.arange(4), torch.zeros(0), torch.rand(5)]
    wanted = [2 * tensor for tensor in tensors]
    kinds = list(flattened(tensors))
    assert sorted(len(flat) for flat, _ in kinds) == [4, 12]
    for flat, some in kinds:
        flat *= 2
        unflatten(flat, some)
    assert all(map(torch.equal, tensors, wanted))


def test_values_are_shared_through_a_file():
    large, small = torch.rand(100, 300), torch.rand(3)
    value = {"large": large, "again": large.half(), "small": small, "rest": ("text", None)}
    path = packed(value)
    try:
        one, other = unpacked(path), unpacked(path)
    finally:
        path.unlink()
    assert torch.equal(one["large"], large) and torch.equal(one["again"], large.half())
    assert torch.equal(one["small"], small) and one["rest"] == ("text", None)
    one["large"].zero_()
    assert torch.equal(other["large"], large)


def test_a_file_that_cannot_be_written_is_not_left_behind(monkeypatch, tmp_path):
    monkeypatch.setattr("tomoinr.teams.sharing.PLACES", (tmp_path,))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tomoinr.teams.sharing.os.fdopen", full)
    with pytest.raises(OSError, match="No space"):
        packed(torch.zeros(10))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("said", "spins"),
    [({}, "3000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "a"}, None)],
)
def test_threads_sleep_soon_unless_something_else_was_said(said, spins):
    environment = dict(said)
    wait_politely(environment)
    assert environment.get("GOMP_SPINCOUNT") == spins


def test_the_program_says_so_before_torch_is_there():
    code = (
        "import os, sys; sys.argv = ['tomoinr', 'plugins']\n"
        "from tomoinr.cli.app import run\n"
        "assert 'torch' not in sys.modules\n"
        "run(); print(os.environ['GOMP_SPINCOUNT'], 'torch' in sys.modules)"
    )
    kept = {k: v for k, v in os.environ.items() if k not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=kept)
    assert done.stdout.endswith("3000 True\n"), done.stderr
