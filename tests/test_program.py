"""The program as a whole: its list of commands, what it says and where, completion, its start."""

import json
import logging
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import tomoinr
from tomoinr.cli.listed import PANELS, PLACES, load

ROOT = Path(__file__).parents[1]


def python(code, **environment):
    """A program of its own."""
    return subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("name", PLACES)
def test_every_listed_command_is_there_and_explains_itself(name):
    command = load(name)
    inner = getattr(command, "commands", {"": command})
    for part in inner.values():
        assert part.help and part.help[0].isupper()
        options = {option for param in part.params for option in param.opts}
        assert {"-q", "-v", "--log-file"} <= options
        for param in part.params:
            assert getattr(param, "help", None), f"{name} {param.name} has no help"


def test_help_lists_all_in_panels_and_says_what_to_try(program):
    code, printed, _ = program("--help")
    assert code == 0 and "tomoinr reconstruct stack.mrc" in printed
    for panel, rows in PANELS.items():
        assert panel in printed
        for row in rows:
            assert row.name in printed and len(row.summary) < 60


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("recnstruct",), "Did you mean 'reconstruct'?"),
        (("recipe", "chek"), "Did you mean 'check'?"),
        (("reconstruct", "a.mrc", "--sovler", "tv"), "Did you mean '--solver'?"),
        (("reconstruct", "a.mrc", "--steps"), "'--steps' requires an argument"),
        (("reconstruct", "a.mrc", "--quality", "god"), "'god' is not one of 'fast', 'default'"),
        (("reconstruct",), "see tomoinr reconstruct --help"),
        (("convert", "a.mrc"), "see tomoinr convert --help"),
        (("view", "none.mrc"), "none.mrc: there is no such file"),
    ],
)
def test_a_wrong_turn_is_one_line_that_shows_the_way(program, words, says):
    code, printed, error = program(*words)
    assert (code, printed) == (2, "")
    assert says in error and error.startswith("tomoinr: ") and error.count("\n") == 1


@pytest.mark.parametrize("words", ["--help", "--version", "reconstruct --help", "reconstruct"])
def test_help_version_and_completion_do_not_wait_for_torch(words):
    """Completion of the commands' names, too: COMP_WORDS are what the shell would give."""
    completing = {"_TOMOINR_COMPLETE": "complete_bash", "COMP_WORDS": "tomoinr re"}
    completing |= {"COMP_CWORD": "1"}
    ran = python(
        f"import sys, atexit; sys.argv = ['tomoinr', *'{words}'.split()]\n"
        "atexit.register(lambda: print('heavy' if 'torch' in sys.modules else 'light'))\n"
        "from tomoinr.cli import main; main()",
        **(completing if words == "reconstruct" else {}),
    )
    assert ran.stdout.endswith("light\n") and not ran.stderr
    if words == "reconstruct":
        assert ran.stdout.split() == ["reconstruct", "recipe", "rerun", "report", "light"]


@pytest.mark.parametrize(
    ("words", "found"),
    [("reconstruct --solver sir", ["sirt"]), ("recipe init --vol", ["--volume"]), ("view a", [])],
)
def test_completion_knows_parts_and_options_and_leaves_files_to_the_shell(
    program, monkeypatch, words, found
):
    monkeypatch.setenv("_TOMOINR_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"tomoinr {words}")
    monkeypatch.setenv("COMP_CWORD", str(len(words.split())))
    code, printed, _ = program()
    assert code == 0 and [name for name in printed.split() if "astra" not in name] == found


def test_ctrl_c_while_libraries_are_imported_ends_in_a_word():
    ran = python(
        "import sys\n"
        "class Impatient:\n"
        "    def find_spec(self, name, *more):\n"
        "        if name == 'torch': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Impatient())\n"
        "sys.argv = ['tomoinr', 'doctor']\n"
        "from tomoinr.cli import main; main()"
    )
    assert (ran.returncode, ran.stderr) == (130, "tomoinr: stopped\n")


def test_ctrl_c_before_there_is_a_program_ends_in_a_word():
    ran = python(
        "import sys\n"
        "class Impatient:\n"
        "    def find_spec(self, name, *more):\n"
        "        if name == 'typer': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Impatient())\n"
        "from tomoinr.cli import main; main()"
    )
    assert (ran.returncode, ran.stderr) == (130, "tomoinr: stopped\n")


def test_the_package_offers_what_its_stub_declares():
    declared = runpy.run_path(str(ROOT / "tomoinr/__init__.pyi"))["__all__"]
    assert sorted(declared) == sorted(tomoinr.__all__)
    assert all(getattr(tomoinr, name) is not None for name in declared)
    assert tomoinr.io.load is not None and "reconstruct" in dir(tomoinr)
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = tomoinr.nonsense


@pytest.fixture
def stack(program, tmp_path):
    """A small tilt series."""
    assert program("simulate", "--size", 16, "--angles=-60:60:20", "--out", tmp_path)[0] == 0
    return tmp_path / "stack.mrc"


def test_quiet_says_nothing_and_verbose_more(program, stack, tmp_path):
    plain = ("convert", stack, "--force")
    code, printed, usual = program(*plain, tmp_path / "a.mrc")
    assert (code, printed) == (0, "") and "wrote" in usual and "INFO" not in usual
    assert program("-q", *plain, tmp_path / "a.mrc") == (0, "", "")
    assert program(*plain, tmp_path / "a.mrc", "--quiet") == (0, "", "")
    assert "INFO tomoinr.io.saving: wrote" in program(*plain, tmp_path / "a.mrc", "-v")[2]
    loud = program(*plain, tmp_path / "a.mrc", "-vv")[2]
    assert "DEBUG tomoinr.io.reading" in loud and loud.count("tilt series of 7 × 16 × 16") == 1
    assert program(*plain, tmp_path / "a.mrc")[2] == usual  # nothing is left of the last call
    assert program(*plain[:2], stack, "-q")[2].startswith("tomoinr: ")  # errors are said


def test_a_log_file_keeps_what_is_said_and_more(program, stack, tmp_path):
    log = tmp_path / "log.txt"
    assert program("convert", stack, tmp_path / "a.mrc", "-q", "--log-file", log) == (0, "", "")
    text = log.read_text("utf-8")
    assert "INFO tomoinr.told: wrote" in text and "INFO tomoinr.io.saving: wrote" in text
    code, _, error = program("info", stack, "--log-file", tmp_path)
    assert code == 2 and "no log can be kept there" in error


def test_a_library_says_nothing_by_itself(caplog, capsys, stack):
    tomoinr.TiltSeries.load(stack)
    assert capsys.readouterr() == ("", "")
    assert any(isinstance(h, logging.NullHandler) for h in logging.getLogger("tomoinr").handlers)


def test_json_on_stdout_and_nothing_else(program, stack, tmp_path):
    """Each as a script would call it."""

    def told(*words):
        code, printed, _ = program(*words, "--json")
        assert code == 0
        return json.loads(printed)

    few = ("--solver", "sirt", "--steps", 2)
    result = told("reconstruct", stack, *few, "--out", tmp_path / "r")
    assert all(Path(path).is_file() for path in result["files"].values())
    assert result["steps"] == 2 and result["shape"] == [16, 16, 16] and result["seconds"] > 0
    assert result["parts"]["solver"] == "sirt" and result["trust"]["warnings"]
    again = told("run", tmp_path / "r/recipe.toml", "--out", tmp_path / "s", "--trust", "none")
    assert again["loss"] == result["loss"] and again["trust"] is None
    aligned = told("align", stack, "--rough", "--out", tmp_path / "aligned")
    assert len(aligned["poses"]) == 7 and Path(aligned["files"]["poses.xf"]).is_file()
    prepared = told("prepare", stack, "--step", "bin:factor=2", "--out", tmp_path / "b.mrc")
    assert prepared["shape"] == [7, 8, 8] and prepared["angles"] == list(range(-60, 61, 20))
    parts = told("plugins")["parts"]
    assert ("solver", "sirt") in [(part["kind"], part["name"]) for part in parts]
    options = {row["name"]: row for row in told("options", "solver", "sirt")["options"]}
    assert options["steps"]["default"] == 50
    assert "stack.mrc" in told("simulate", "--size", 16, "--out", tmp_path / "sim")["files"]


def test_reconstruct_alone_names_its_folder_and_says_so(program, stack, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    quick = ("reconstruct", "stack.mrc", "--solver", "fbp", "--trust", "none")
    code, _, told = program(*quick)
    assert code == 0 and "results go to stack-tomoinr" in told
    assert (tmp_path / "stack-tomoinr/volume.mrc").is_file()
    code, _, told = program(*quick)
    assert code == 2 and "stack-tomoinr/volume.mrc: already exists" in told
    assert program(*quick, "--force")[0] == 0
