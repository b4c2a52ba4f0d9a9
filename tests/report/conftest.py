"""Small results in folders, and pages taken apart."""

import base64
import gzip
import json
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
import torch

import tomoinr
from tomoinr.builtin.simulate import Acquisition, simulate
from tomoinr.data import TiltSeries
from tomoinr.geometry import Poses
from tomoinr.io import save_reconstruction
from tomoinr.trust import assess, save

VOID = {"meta", "input", "br", "link", "img", "hr"}


class Page(HTMLParser):
    """Tags that were opened and not closed, attributes, and the text of scripts by id."""

    def __init__(self, text):
        super().__init__()
        self.open, self.faults, self.attributes, self.scripts, self.text = [], [], [], {}, ""
        self._id = None
        self.feed(text)
        self.close()
        self.content = json.loads(self.scripts["content"])

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, *pair) for pair in attrs]
        self._id = dict(attrs).get("id") if tag == "script" else None
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)

    def handle_data(self, data):
        if self._id and self.open[-1:] == ["script"]:
            self.scripts[self._id] = data
        elif self.open[-1:] not in (["script"], ["style"]):
            self.text += data

    def blob(self, name, *shape):
        """The bytes of an array."""
        found = gzip.decompress(base64.b64decode(self.scripts[name]))
        return np.frombuffer(found, np.uint8).reshape(shape)


@pytest.fixture(scope="session")
def series():
    """Twenty-one misaligned images of 14 × 16 pixels of 4 Å, not in the order of their angles."""
    acquisition = Acquisition(tuple(range(-60, 61, 6)), dose=50, shift=1.0)
    taken = simulate("nanoparticles", (14, 16, 16), acquisition, seed=3).series()
    order = torch.randperm(21, generator=torch.Generator().manual_seed(0)).tolist()
    return replace(taken, pixel_size=4.0, source="some stack").select(order)


@pytest.fixture(scope="session")
def result(series, plugins):
    """Of that series, with poses as if a model had learned them: the core itself has none."""
    turned = torch.linspace(-0.5, 0.4, 21).sin()
    start = Poses.of(series.angles, turned, shift=2 * torch.stack((turned, -turned), 1))
    found = tomoinr.reconstruct(
        series, solver="tv", steps=20, start=start, depth=12, plugins=plugins
    )
    return replace(found, recipe={**found.recipe, "poses": {"name": "learned"}})


@pytest.fixture(scope="session")
def judged(result, plugins, tmp_path_factory):
    """A whole folder of it, with trust.json."""
    folder = tmp_path_factory.mktemp("judged") / "result"
    save_reconstruction(folder, result, plugins=plugins)
    save(folder, assess(result, plugins=plugins), result)
    return folder


@pytest.fixture(scope="session")
def channels(series, plugins):
    """A result of two channels, poses held."""
    images = torch.cat((series.images, series.images.flip(2)))
    two = TiltSeries(images, series.angles, 4.0, ("HAADF", "Ti </script>"))
    return tomoinr.reconstruct(two, solver="tv", steps=5, depth=12, plugins=plugins)
