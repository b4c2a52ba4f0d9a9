"""A checkpoint: any state comes back as it was; what is damaged or unfinished is found out."""

import errno
import os
import shutil
import signal
import struct
import subprocess
from types import SimpleNamespace

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from tomoinr.builtin.adam import Adam
from tomoinr.checkpoint import Signals
from tomoinr.checkpoint.file import BLANK, Contents, Damaged, read
from tomoinr.checkpoint.folder import Folder
from tomoinr.checkpoint.nested import flattened
from tomoinr.checkpoint.origin import check, differences
from tomoinr.checkpoint.pace import Pace
from tomoinr.checkpoint.together import agreed, shared
from tomoinr.errors import TomoinrError
from tomoinr.testing.threads import together

REAL = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex64)
WHOLE = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool)


@st.composite
def tensors(draw):
    """Of any kind, size and layout."""
    shape = draw(st.lists(st.integers(0, 4), max_size=3))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 99)))
    values = 5 * torch.randn(shape, generator=generator)
    values = values.to(draw(st.sampled_from(REAL + WHOLE)))
    return values.movedim(0, -1) if values.dim() and draw(st.booleans()) else values


plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
keys = st.text(max_size=5) | st.integers() | st.none() | st.tuples(st.integers(), st.text())


def containers(inner):
    lists = st.lists(inner, max_size=3)
    return lists | lists.map(tuple) | st.dictionaries(keys, inner, max_size=3)


nested = st.recursive(plain | tensors(), containers, max_leaves=12)


def same(one, other):
    """To the last bit, and of the same kinds."""
    if type(one) is not type(other):
        return False
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return same(list(one), list(other)) and same(list(one.values()), list(other.values()))
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return one != one != other or struct.pack("d", one) == struct.pack("d", other)
    return one == other


@pytest.fixture
def file(tmp_path):
    """A checkpoint of some numbers, words and tensors."""
    path = tmp_path / "one.safetensors"
    value = {"step": 7, 0: [torch.arange(12.0).view(3, 4), (None, True)], "text": "größer"}
    Contents(value).write(path)
    return path


@settings(max_examples=80)
@given(nested)
@example({"zeros": BLANK.decode(), "none": {}, 3: [float("-inf"), -0.0, 10**30]})
@example([torch.tensor(True), torch.zeros(0, 3), torch.zeros(2).expand(4, 2), torch.ones(3).conj()])
def test_any_state_comes_back(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "any.safetensors"
    contents = Contents(value)
    contents.write(path)
    assert contents.size == path.stat().st_size
    assert same(read(path), value)


def test_parts_of_one_tensor_are_kept_apart(tmp_path):
    whole = torch.arange(6.0)
    Contents({"whole": whole, "part": whole[2:], "again": whole}).write(tmp_path / "a")
    found = read(tmp_path / "a")
    found["whole"].zero_()
    assert found["part"].tolist() == [2, 3, 4, 5] and found["again"].tolist() == whole.tolist()


def test_optimisers_go_on(tmp_path):
    def made():
        parameter = torch.nn.Parameter(torch.ones(3))
        return parameter, Adam([parameter], 0.1, (0.9, 0.99))

    def walked(parameter, optimiser, steps):
        for _ in range(steps):
            optimiser.zero_grad()
            parameter.pow(4).sum().backward()
            optimiser.step()

    parameter, optimiser = made()
    walked(parameter, optimiser, 3)
    Contents((parameter, optimiser.state_dict())).write(tmp_path / "a")
    walked(parameter, optimiser, 3)
    other, resumed = made()
    values, state = read(tmp_path / "a")
    other.data.copy_(values)
    resumed.load_state_dict(state)
    walked(other, resumed, 3)
    assert torch.equal(other, parameter)


def test_any_reader_of_safetensors_sees_the_tensors(file):
    (found,) = load_file(file).values()
    assert torch.equal(found, torch.arange(12.0).view(3, 4))


@pytest.mark.parametrize("odd", [{1, 2}, object(), b"ab", torch.zeros(2).to_sparse()])
def test_what_cannot_be_kept_is_refused_by_its_place(odd):
    with pytest.raises(TomoinrError, match=r"cannot hold the \w+ at 'inner.1'"):
        flattened({"inner": [0, odd]})


def test_every_flipped_bit_is_found(file):
    content = file.read_bytes()
    for place in range(len(content)):
        bit = 1 << place % 8
        file.write_bytes(content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :])
        with pytest.raises(Damaged):
            read(file)


def test_every_cut_is_found(file):
    content = file.read_bytes()
    for end in range(len(content)):
        file.write_bytes(content[:end])
        with pytest.raises(Damaged):
            read(file)
    file.write_bytes(content + b"\0")
    with pytest.raises(Damaged):
        read(file)


@pytest.mark.parametrize("block", [1, 16, 512])
def test_every_zeroed_block_is_found(file, block):
    content = file.read_bytes()
    for start in range(0, len(content), block):
        zeroed = bytearray(content)
        zeroed[start : start + block] = bytes(len(zeroed[start : start + block]))
        if zeroed != content:
            file.write_bytes(zeroed)
            with pytest.raises(Damaged):
                read(file)
    file.write_bytes(content)
    assert read(file)["step"] == 7


def test_a_file_that_has_gone_is_told(tmp_path):
    with pytest.raises(Damaged, match="No such file"):
        read(tmp_path / "nothing")


@pytest.fixture
def folder(tmp_path):
    """One that has held three checkpoints."""
    made = Folder(tmp_path / "checkpoints")
    for step in (10, 20, 30):
        made.add(step, {"step": step, "values": torch.full((100,), step)})
    return made


def names(folder):
    return sorted(path.name for path in folder.path.iterdir())


def test_the_last_two_are_kept(folder):
    assert names(folder) == ["checkpoint-00000020.safetensors", "checkpoint-00000030.safetensors"]
    assert folder.newest(pytest.fail).value["step"] == 30


def test_a_step_is_written_again_where_it_was_damaged(folder):
    folder.files()[0].write_bytes(b"")
    folder.add(30, {"step": 30})
    assert folder.newest(pytest.fail).value == {"step": 30} and len(names(folder)) == 2


def test_the_one_before_is_used_where_the_last_is_damaged(folder):
    folder.files()[0].write_bytes(b"half")
    told = []
    assert folder.newest(told.append).value["step"] == 20
    assert len(told) == 1 and "checkpoint-00000030" in told[0] and "\n" not in told[0]


def test_none_that_can_be_used_is_an_error_and_none_at_all_is_not(folder, tmp_path):
    for path in folder.files():
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(TomoinrError, match="none of the 2 checkpoints can be used"):
        folder.newest(lambda line: None)
    assert Folder(tmp_path / "other").newest(pytest.fail) is None


def test_only_what_is_ours_is_removed(folder):
    (folder.path / ".checkpoint-00000040-1a2b3c4d.safetensors").write_bytes(b"killed meanwhile")
    (folder.path / "mine.txt").touch()
    folder.clear()
    assert names(folder) == ["mine.txt"]
    (folder.path / "mine.txt").unlink()
    folder.clear()
    assert not folder.path.exists()


def test_a_disk_that_fills_up_leaves_what_was_there(folder, monkeypatch):
    def write(contents, path):
        path.write_bytes(bytes(100))
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Contents, "write", write)
    before = names(folder)
    with pytest.raises(TomoinrError, match=r"No space left on device; .* step 30 is still there"):
        folder.add(40, {"step": 40})
    assert names(folder) == before and folder.newest(pytest.fail).value["step"] == 30


def test_a_disk_that_is_full_is_told_before(folder, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(TomoinrError, match=r"takes 0\.4 MiB, but 0\.0 MiB are free.* step 30"):
        folder.add(40, {"values": torch.zeros(100_000)})
    assert folder.newest(pytest.fail).value["step"] == 30


def test_a_small_disk(tmp_path, monkeypatch):
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(tmp_path)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no disk of a size of its own can be mounted here")
    try:
        folder = Folder(tmp_path / "checkpoints")
        monkeypatch.setattr(folder, "_check_room", lambda size: None)
        folder.add(1, {"step": 1, "values": torch.zeros(30_000)})
        with pytest.raises(TomoinrError, match="No space left on device"):
            folder.add(2, {"step": 2, "values": torch.zeros(60_000)})
        assert folder.newest(pytest.fail).value["step"] == 1 and len(names(folder)) == 1
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.parametrize(
    ("text", "seconds", "steps"),
    [("5min", 300, 10**9), ("90s", 90, 10**9), ("0.5h", 1800, 10**9), ("200", 10**9, 200)],
)
def test_how_often(text, seconds, steps):
    pace = Pace.of(text)
    assert pace.over(seconds, 0) == (seconds < 10**9) and not pace.over(seconds - 1, 0)
    assert pace.over(0, steps) == (steps < 10**9) and not pace.over(0, steps - 1)
    assert not Pace.of("never").over(1e12, 10**12)


@pytest.mark.parametrize("text", ["0", "-3", "soon", "5 days", "0min", "", "1.5"])
def test_what_is_no_pace_is_refused(text):
    with pytest.raises(TomoinrError, match="5min, 90s, 2h"):
        Pace.of(text)


def test_one_ranks_signal_is_everyones_and_rank_0s_clock_counts():
    def ask(team):
        last = team.rank == team.size - 1
        return (
            agreed(team, None, False),
            agreed(team, "SIGUSR1" if last else None, False),
            agreed(team, None, team.rank > 0),
            agreed(team, None, team.rank == 0),
        )

    for size in (2, 3):
        wanted = (None, False), ("SIGUSR1", False), (None, False), (None, True)
        assert together(size, ask) == [wanted] * size


@pytest.mark.parametrize("size", [1, 3])
def test_what_rank_0_has_is_shared(size, monkeypatch):
    monkeypatch.setattr("tomoinr.checkpoint.together.PORTION", 5)  # bytes, so that there are some
    value = {3: (torch.arange(4.0), torch.tensor(True)), "ä": None, "empty": torch.zeros(0, 2)}
    found = together(size, lambda team: shared(team, None if team.rank else value))
    assert all(same(theirs, value) for theirs in found)


def sent(name):
    os.kill(os.getpid(), getattr(signal, name))


def handlers():
    return [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]


def test_signals_are_remembered_and_handlers_put_back():
    before = handlers()
    with Signals() as signals:
        assert signals.asked() is None
        for name in ("SIGUSR1", "SIGTERM"):
            sent(name)
        assert signals.asked() == "SIGUSR1"
    assert handlers() == before


def test_ctrl_c_interrupts_at_once_the_second_time():
    with Signals() as signals:
        signals.asked()
        sent("SIGINT")
        assert signals.asked() == "SIGINT"
        with pytest.raises(KeyboardInterrupt):
            sent("SIGINT")


def test_ctrl_c_interrupts_at_once_as_long_as_nobody_asks():
    with Signals(), pytest.raises(KeyboardInterrupt):
        sent("SIGINT")


def test_ignored_signals_stay_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Signals() as signals:
            sent("SIGHUP")
            assert signals.asked() is None
    finally:
        signal.signal(signal.SIGHUP, before)


def made_from(**recipe):
    return {"recipe": recipe, "inputs": {"stack": {"path": "/a.mrc", "sha256": "12"}}}


def test_each_difference_has_its_line():
    then = made_from(
        solver={"name": "tv", "steps": 3},
        prior=[{"name": "tv", "weight": 0.1}],
        data={"stack": "a.mrc", "angles": [0.0, 1.0, 2.0, 3.0], "exclude": ""},
    )
    now = made_from(
        solver={"name": "tv", "steps": 4},
        prior=[{"name": "tv", "weight": 0.2}, {"name": "sparsity"}],
        data={"stack": "b.mrc", "angles": [0.0, 1.5, 2.0, 3.5], "exclude": "x" * 99},
    )
    now["inputs"] = {"stack": {"path": "/b.mrc", "sha256": "34"}}
    assert list(differences(then, now)) == [
        "solver.steps: 3 → 4",
        "prior.0.weight: 0.1 → 0.2",
        "data.angles: number 1: 1.0 → 1.5, and 1 more",
        f"data.exclude:  → {'x' * 60}…",
        "prior.1.name: none → sparsity",
        "stack: /b.mrc has changed (its sha256 is another)",
    ]
    with pytest.raises(TomoinrError, match=r"steps: 3 → 4;\nprior.0"):
        check(then, now, "a checkpoint")


def test_a_file_elsewhere_with_the_same_content_is_the_same():
    then, now = made_from(data={"stack": "a.mrc"}), made_from(data={"stack": "/new/a.mrc"})
    now["inputs"]["stack"]["path"] = "/new/a.mrc"
    check(then, now, "a checkpoint")
