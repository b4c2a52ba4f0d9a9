"""The docs say what is: every hook and option is there, and what they show runs.

A code block in README.md or docs/ may carry a mark, an HTML comment on the line before it:
`saved as: NAME` puts it in the folder where commands run; `same as: PATH` must equal that file;
`not run: REASON` is only read. Shell and Python blocks without a mark are run.
"""

import inspect
import re
import runpy
import shlex
import sys
import tomllib
from pathlib import Path

import pytest

from tomoinr import hookspecs, interfaces
from tomoinr.builtin.simulate import Acquisition, simulate
from tomoinr.cli import main
from tomoinr.plugins import KINDS

ROOT = Path(__file__).parents[1]
OPTIONS, PLUGINS = ROOT / "docs" / "options.md", ROOT / "docs" / "plugins.md"
SHOWN = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES = [
    p
    for folder in (".", "docs", "benchmarks", "examples", "plugins/*")
    for p in ROOT.glob(f"{folder}/*.md")
]
BLOCK = re.compile(r"(?:<!-- (.*?) -->\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HOOKS = [name for name in vars(hookspecs) if name.startswith("tomoinr_")]
MAKER = runpy.run_path(str(OPTIONS.with_name("make_options.py")))
GENERATED = ("commands", "python")


def blocks(kind, mark=""):
    """(page, mark, text) of all blocks of a kind, without a mark or with one that begins so."""
    for page in SHOWN:
        for found, language, text in BLOCK.findall(page.read_text("utf-8")):
            if language == kind and (found.startswith(mark) if mark else not found):
                yield page, found.removeprefix(mark), text


def commands():
    return [line for _, _, text in blocks("sh") for line in text.splitlines()]


@pytest.mark.parametrize("hook", HOOKS)
def test_hook_is_documented(hook):
    row = re.search(rf"^\| `{hook}` \|(.*?)\|", PLUGINS.read_text("utf-8"), re.MULTILINE)
    assert row, f"docs/plugins.md has no row for {hook}"
    assert re.findall(r"\w+", row[1]) == list(inspect.signature(vars(hookspecs)[hook]).parameters)


@pytest.mark.parametrize("cls", [base for _, base in KINDS.values()], ids=lambda cls: cls.__name__)
def test_interface_is_documented(cls):
    (row,) = re.findall(rf"^\| `{cls.__name__}` \|.*", PLUGINS.read_text("utf-8"), re.MULTILINE)
    for method in cls.__abstractmethods__:
        assert f"`{method}(" in row


@pytest.mark.parametrize("ability", interfaces.Ability, ids=lambda ability: ability.name)
def test_ability_is_documented(ability):
    assert f"| `{ability.name}` | {ability.value} |" in PLUGINS.read_text("utf-8")


@pytest.mark.parametrize("name", MAKER["DISTRIBUTIONS"])
def test_options_are_documented(name):
    pytest.importorskip(MAKER["DISTRIBUTIONS"][name].partition(".")[0])
    found = re.split(r"^(?=## )", OPTIONS.read_text("utf-8"), flags=re.MULTILINE)
    wanted = MAKER["section"](name).strip()
    assert wanted in map(str.strip, found), "run: python docs/make_options.py"


def test_the_recipe_is_documented():
    assert MAKER["recipe_section"]() in OPTIONS.read_text("utf-8"), (
        "run: python docs/make_options.py"
    )


@pytest.mark.parametrize("name", GENERATED)
def test_generated_pages_follow_the_code(name):
    page = OPTIONS.with_name(f"{name}.md")
    made = runpy.run_path(str(page.with_name(f"make_{name}.py")))["page"]()
    assert made == page.read_text("utf-8"), f"run: python docs/make_{name}.py"


@pytest.mark.parametrize("path", sorted((ROOT / "examples").iterdir()), ids=lambda path: path.name)
def test_every_example_is_described(path):
    page = ROOT / "examples" / "README.md"
    assert path == page or path.name[0] in "._" or f"({path.name}" in page.read_text("utf-8")


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    """A small tilt series with its angles beside it."""
    acquisition = Acquisition(tuple(range(-60, 61, 6)), dose=50)
    series = simulate("nanoparticles", (16, 16, 16), acquisition, seed=0).series()
    return series.save(tmp_path_factory.mktemp("data") / "stack.mrc")


@pytest.fixture
def folder(stack, tmp_path, monkeypatch):
    """Where the reader of a page would be: with the data, and the files that it says to save."""
    for name in ("stack.mrc", "stack.rawtlt"):
        (tmp_path / name).symlink_to(stack.with_name(name))
    for _, name, text in blocks("toml", "saved as: "):
        (tmp_path / name).write_text(text, "utf-8")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("text", [text for *_, text in blocks("sh")])
def test_commands_run(text, folder, monkeypatch):
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        assert words[0] == "tomoinr", "mark blocks of other commands: <!-- not run: REASON -->"
        slow = words[1] in ("reconstruct", "run") and not {"--steps", "fbp"} & {*words}
        monkeypatch.setattr(sys, "argv", [*words, *["--steps", "2"] * slow])
        with pytest.raises(SystemExit, match=r"^0$"):
            main()


@pytest.mark.parametrize("text", [text for *_, text in blocks("python")])
def test_script_runs(text, folder):
    exec(compile(text, "a block of the docs", "exec"), {"__name__": "shown"})


@pytest.mark.parametrize("kind", ["python", "sh", "toml"])
def test_blocks_that_repeat_a_file_equal_it(kind):
    for page, path, text in blocks(kind, "same as: "):
        assert text == (ROOT / path).read_text("utf-8"), f"{page.name} and {path} differ"


def test_marks_are_known():
    known = ("saved as: ", "same as: ", "not run: ")
    for page in SHOWN:
        for mark, *_ in BLOCK.findall(page.read_text("utf-8")):
            assert not mark or mark.startswith(known), f"{page.name}: {mark}"


def test_the_readme_shows_what_it_should():
    languages = [language for _, language, _ in BLOCK.findall(SHOWN[0].read_text("utf-8"))]
    assert {"python", "sh", "toml"} <= set(languages)
    assert len(commands()) >= 5


def test_toml_is_toml():
    for _, _, text in blocks("toml"):
        assert tomllib.loads(text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for link in LINK.findall(page.read_text("utf-8")):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if "://" not in link:
            assert target.exists(), f"{page.name}: {link}"
            assert not anchor or anchor in anchors(target), f"{page.name}: {link}"


def anchors(page):
    headings = re.findall(r"^#+ (.*)", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
