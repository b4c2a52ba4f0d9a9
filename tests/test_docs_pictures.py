"""Pictures of the docs can be drawn again, and show what their pages say."""

import importlib.util
import re
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ASSETS = ROOT / "docs" / "assets"


def module(name):
    """A script of docs/, loaded but not run."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """The pictures of concepts at small size."""
    folder = tmp_path_factory.mktemp("drawn")
    concepts = module("draw_concepts")
    concepts.SIZE, concepts.TILTS, concepts.ITERATIONS = 12, tuple(range(-60, 61, 12)), (1, 9)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["draw_concepts.py", str(folder)])
        concepts.main()
    return folder


@pytest.mark.parametrize("name", ["wedge", "poses", "noise"])
def test_concepts_can_be_drawn(drawn, name):
    new, kept = ((folder / f"{name}.svg").read_text("utf-8") for folder in (drawn, ASSETS))
    size = re.compile(r'<svg [^>]*viewBox="([^"]+)"')
    assert size.search(new)[1] == size.search(kept)[1], "run: python docs/draw_concepts.py"
    assert new.count("<image") == kept.count("<image") >= 3


def test_conventions_are_drawn_as_they_are_kept(tmp_path, monkeypatch):
    new = tmp_path / "conventions.svg"
    monkeypatch.setattr(sys, "argv", ["draw_conventions.py", str(new)])
    runpy.run_path(str(ROOT / "docs" / "draw_conventions.py"), run_name="__main__")
    old = ROOT / "docs" / "conventions.svg"
    same = re.compile(r" d=\"[^\"]*\"")
    assert same.findall(new.read_text("utf-8")) == same.findall(old.read_text("utf-8"))


def test_the_wedge_hides_what_the_page_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    command = ["what_the_wedge_hides.py", "--size", "24", "--steps", "30"]
    monkeypatch.setattr(sys, "argv", command)
    runpy.run_path(str(ROOT / "examples" / "what_the_wedge_hides.py"), run_name="__main__")
    printed = capsys.readouterr().out
    images, specimens, found = map(float, re.findall(r"differ by (\d\.\d+)", printed))
    assert images < 0.02  # of the noise
    assert specimens > 0.4
    assert found < specimens / 3
    plain, layered = map(float, re.findall(r"SSIM (\d\.\d+)", printed))
    assert plain > layered + 0.05
    agreed = map(float, re.findall(r"agree to (\d\.\d+)", printed))
    assert min(agreed) > 0.8  # and so would reassure whoever takes agreement for truth
