"""What a command wrote says how, and can be made again: the same, or plainly not."""

import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest

import tomoinr
from tomoinr.builtin.simulate import Acquisition, simulate
from tomoinr.cli.app import app
from tomoinr.errors import TomoinrError
from tomoinr.io.records import find_record, record_beside


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """The program, in a folder with a stack of 2 Å; returns all that it told."""
    monkeypatch.chdir(tmp_path)
    acquisition = Acquisition(tuple(range(-60, 61, 20)), dose=100, shift=0.5)
    series = simulate("asymmetric", (12, 12, 12), acquisition, seed=0).series()
    series.save("stack.mrc")

    def run(*words):
        app([str(word) for word in words], standalone_mode=False)
        return "".join(capsys.readouterr())

    return run


MAKING = {
    "align": ("align", "stack.mrc", "--out", "new", "--rough", "--exclude", "2", "--prepare",
              "bin:factor=2", "--aln", "--box", "6,7"),
    "prepare": ("prepare", "stack.mrc", "--out", "new.mrc", "--step", "bin:factor=2", "--step",
                "mask:edge=2,outside=mean", "--pixel-size", "3"),
    "simulate": ("simulate", "--out", "new", "--size", "16", "--dose", "inf", "--phantom",
                 "core_shell"),
    "convert": ("convert", "stack.mrc", "new.npz", "--pixel-size", "3"),
}  # fmt: skip


@pytest.fixture(params=["align", "prepare", "simulate", "apply-poses", "convert"])
def made(request, run, tmp_path):
    """A command's output, and the record of it."""
    if request.param == "apply-poses":
        run("align", "stack.mrc", "--out", "poses", "--rough")
        run("apply-poses", "stack.mrc", "poses/poses.xf", "--out", "new.mrc")
    else:
        run(*MAKING[request.param])
    names = ("new.mrc", "new.npz", "new")
    output = next(path for name in names if (path := tmp_path / name).exists())
    return output, find_record(output)


def digest(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_a_record_tells_all_that_an_output_depends_on(made):
    _, record = made
    found = json.loads(record.path.read_text("utf-8"))
    assert found["versions"]["tomoinr"] == tomoinr.__version__
    assert "torch" in found["versions"] and "threads" in found["machine"]
    if found["command"] == "simulate":
        assert found["seed"] == 0 and not found["inputs"]
        return
    assert found["recipe"]["data"]["angles"] == [-60, -40, -20, 0, 20, 40, 60]
    assert (record.path.parent / found["recipe"]["data"]["stack"]).samefile("stack.mrc")
    for known in found["inputs"].values():
        assert digest(record.path.parent / known["path"]) == known["sha256"]
    poses = {"poses"} if found["command"] == "apply-poses" else set()
    assert set(found["inputs"]) == {"stack", "angles"} | poses
    if found["command"] == "align":
        assert found["seed"] == 0 and found["options"]["quality"] == "fast"
        assert found["recipe"]["prepare"][0] == {"name": "bin", "factor": 2.0}


def test_an_output_is_made_again(made, run, tmp_path, monkeypatch):
    output, record = made
    monkeypatch.chdir("/")  # nothing hangs on where one is
    told = run("rerun", output)
    again = output.with_name(f"{output.stem}-again{output.suffix}")
    assert again.exists() and "bit-identical" in told
    assert not re.search("differs|other than|not compared|another", told), told
    assert told.count(": the same") + told.count("bit-identical") == len(record.outputs)
    twice = find_record(again)
    before, after = (json.loads(r.path.read_text("utf-8")) for r in (record, twice))
    assert before["recipe"] == after["recipe"] and before["options"] == after["options"]
    with pytest.raises(TomoinrError, match="already exists"):
        run("rerun", output)
    run("rerun", output, "--force")
    run("rerun", output, "--out", tmp_path / f"third{output.suffix}")
    assert (tmp_path / f"third{output.suffix}").exists()


def test_any_file_of_an_output_will_do(run):
    run(*MAKING["align"])
    for name in ("aligned.mrc", "poses.xf", "aligned.provenance.json"):
        assert "aligned.mrc: the array is bit-identical" in run("rerun", f"new/{name}", "--force")


def test_a_moved_project_is_repeated_where_it_is(run, tmp_path, monkeypatch):
    for words in (MAKING["align"], MAKING["prepare"]):
        run(*words)
    there = tmp_path.with_name(f"{tmp_path.name}-moved")
    shutil.move(tmp_path, there)
    monkeypatch.chdir(there)
    assert "bit-identical" in run("rerun", "new") and "bit-identical" in run("rerun", "new.mrc")


def test_what_has_changed_is_told_and_refused(made, run):
    output, record = made
    if record.command == "simulate":
        pytest.skip("it has no inputs")
    with open("stack.mrc", "r+b") as file:
        file.seek(1500)
        file.write(b"\0\0\0\x41")
    with pytest.raises(TomoinrError, match=r"stack: .*has changed.*--anyway"):
        run("rerun", output)
    assert not output.with_name(f"{output.stem}-again{output.suffix}").exists()
    told = run("rerun", output, "--anyway")
    assert "has changed" in told and "the array differs by" in told


def test_other_versions_are_told(made, run):
    output, record = made
    found = json.loads(record.path.read_text("utf-8"))
    found["versions"]["torch"] = "1.0"
    record.path.write_text(json.dumps(found))
    told = run("rerun", output)
    assert "torch: 1.0 then" in told and "bit-identical" in told


def test_an_earlier_record_is_not_replaced_unasked(run, tmp_path):
    record_beside(tmp_path / "new.mrc").write_text("mine")
    with pytest.raises(TomoinrError, match=r"new\.provenance\.json: already exists"):
        run(*MAKING["prepare"])
    assert not (tmp_path / "new.mrc").exists()
    with pytest.raises(TomoinrError, match="no record of provenance"):
        run("rerun", "new.provenance.json")


@pytest.mark.parametrize("change", [{"command": "paint"}, {"outputs": 3}, {"paths": None}])
def test_a_strange_record_is_one_line(run, tmp_path, change):
    run(*MAKING["prepare"])
    record = record_beside(tmp_path / "new.mrc")
    record.write_text(json.dumps(json.loads(record.read_text("utf-8")) | change))
    with pytest.raises(TomoinrError, match=r"this tomoinr knows no command|no record") as caught:
        run("rerun", "new.mrc")
    assert "\n" not in str(caught.value)


def test_several_outputs_in_one_folder(run):
    run(*MAKING["prepare"])
    run("prepare", "stack.mrc", "--step", "bin", "--out", "other.mrc")
    with pytest.raises(TomoinrError, match=r"several.*new\.provenance\.json.*other"):
        run("rerun", ".")
    assert "bit-identical" in run("rerun", "other.rawtlt")


def test_info_tells_of_it(made, run):
    output, record = made
    file = output if output.is_file() else output / record.outputs[0]
    told = " ".join(run("info", file).split())
    assert f"made by tomoinr {record.command}" in told and f"tomoinr {tomoinr.__version__}" in told


@pytest.mark.slow
def test_the_demo_is_made_again(run):
    run("demo", "--size", "16", "--out", "demo")
    told = run("rerun", "demo/sirt.mrc", "--out", "twice")
    assert told.count("bit-identical") == 5 and "differs" not in told, told
