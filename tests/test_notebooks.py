"""The notebooks run from top to bottom, show what they promise, and are kept without outputs."""

import re
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
NOTEBOOKS = sorted((Path(__file__).parents[1] / "examples" / "notebooks").glob("*.ipynb"))


def outputs(book):
    """Everything shown: its texts by kind."""
    shown = [output for cell in book.cells for output in cell.get("outputs", ())]
    return [output.get("data", {"text/plain": output.get("text", "")}) for output in shown]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path):
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    assert outputs(book) == []
    assert all(cell.get("execution_count") is None for cell in book.cells)


def executed(name, folder):
    client = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    (path,) = (path for path in NOTEBOOKS if path.stem == name)
    book = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": str(folder)}}
    client.NotebookClient(book, timeout=300, kernel_name="python3", resources=where).execute()
    return outputs(book)


@pytest.mark.slow
def test_start_shows_series_progress_and_result(tmp_path):
    shown = executed("start", tmp_path)
    pages = [data["text/html"] for data in shown if "text/html" in data]
    assert ["tomoinr.TiltSeries" in page for page in pages] == [True, False, False]
    assert "<b>finished</b>" in pages[1] and 'value="1.0000"' in pages[1]
    assert "tomoinr.Reconstruction" in pages[2]
    assert any("image/png" in data for data in shown)
    assert not any("\x1b" in data.get("text/plain", "") for data in shown)
    assert (tmp_path / "start-out" / "volume.mrc").is_file()


@pytest.mark.slow
def test_poses_and_trust_shows_what_alignment_is_worth(tmp_path):
    text = "\n".join(data.get("text/plain", "") for data in executed("poses_and_trust", tmp_path))
    plain, aligned, ours = map(float, re.findall(r"SSIM (\d\.\d+)", text))
    assert plain < aligned < ours
    assert float(re.search(r"to within (\d\.\d+) pixels", text)[1]) < 0.3
    assert "halves: correlation" in text and "images: median" in text
