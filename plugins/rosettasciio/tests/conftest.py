"""Files as the formats' descriptions say, put together without rosettasciio."""

import json
import struct

import h5py
import numpy as np
import pytest

import tomoinr_rosettasciio
from tomoinr.plugins import Plugins

DM_TYPES = {"int16": (1, 2), "float32": (2, 6), "uint8": (6, 8), "uint16": (10, 4)}
SER_TYPES = {"uint16": 2, "int16": 5, "float32": 7}


def make_dm(version, images, thumbnails=0, order="<"):
    """A DM3 or DM4 file of images: dicts of `array`, `scale`, `unit`, `name`, `stack` unit."""
    group = {"": [_dm_image(image) for image in images]}
    root = {"ImageList": group}
    if thumbnails:
        root["Thumbnails"] = {"": [{"ImageIndex": ("long", 0)}]}
    body = _Tags(version, order).group(root, outermost=True)
    count = "i" if version == 3 else "q"
    head = struct.pack(f">i{count}i", version, len(body) + 4, int(order == "<"))
    return head + body + bytes(8)


def _dm_image(image):
    array = image["array"]
    code, element = DM_TYPES[str(array.dtype)]
    sizes = [(image["scale"], image["unit"])] * 2
    if array.ndim == 3:
        sizes.append(image.get("stack", (1.0, "")))
    origin = image.get("origin", 0.0)
    dimension = [
        {"Origin": ("float", o), "Scale": ("float", s), "Units": ("text", unit)}
        for o, (s, unit) in zip([0.0, 0.0, origin], sizes, strict=False)
    ]
    brightness = {"Origin": ("float", 0.0), "Scale": ("float", 1.0), "Units": ("text", "")}
    return {
        "ImageData": {
            "Calibrations": {"Brightness": brightness, "Dimension": {"": dimension}},
            "Data": ("array", element, array),
            "DataType": ("long", code),
            "Dimensions": {"": [("long", n) for n in array.shape[::-1]]},
            "PixelDepth": ("long", array.dtype.itemsize),
        },
        "ImageTags": {},
        "Name": ("text", image.get("name", "")),
    }


class _Tags:
    """The tags of one version: its counts have four or eight bytes."""

    def __init__(self, version, order):
        self.wide, self.count = version == 4, ">q" if version == 4 else ">i"
        self.order, self.text = order, "utf-16-le" if order == "<" else "utf-16-be"

    def group(self, tags, outermost=False):
        listed = [
            (name, one)
            for name, tag in tags.items()
            for one in (tag if isinstance(tag, list) else [tag])
        ]
        inner = b"".join(self.tag(name, one) for name, one in listed)
        body = b"\1\0" + struct.pack(self.count, len(listed)) + inner
        return body if outermost or not self.wide else struct.pack(">q", len(body)) + body

    def tag(self, name, tag):
        head = struct.pack(">H", len(name)) + name.encode()
        if isinstance(tag, dict):
            return b"\x14" + head + self.group(tag)
        info, data = self.value(*tag)
        body = b"%%%%" + struct.pack(f">{len(info) + 1}{self.count[1]}", len(info), *info) + data
        return b"\x15" + head + (struct.pack(">q", len(body)) if self.wide else b"") + body

    def value(self, kind, *value):
        match kind:
            case "long":
                return [3], struct.pack(f"{self.order}i", *value)
            case "float":
                return [6], struct.pack(f"{self.order}f", *value)
            case "text":
                return [20, 4, len(value[0])], value[0].encode(self.text)
            case "array":
                element, array = value
                return [20, element, array.size], array.astype(
                    array.dtype.newbyteorder(self.order)
                ).tobytes()


def make_velox(path, detectors, tilts=None, nm=0.4):
    """A Velox file: a stack [frame, y, x] for each detector; tilts in degrees, one each frame."""
    with h5py.File(path, "w") as file:
        file["Version"] = np.array([b'{"format": "Velox", "version": "1.0"}'])
        for number, (name, stack) in enumerate(detectors.items()):
            group = file.create_group(f"Data/Image/{number:032x}")
            frames = np.moveaxis(stack, 0, -1)
            group.create_dataset("Data", data=frames, chunks=(*frames.shape[:2], 1))
            told = [_velox_metadata(name, tilt, nm) for tilt in tilts or [None] * len(stack)]
            columns = [np.frombuffer(text.ljust(4000, b"\0"), np.uint8) for text in told]
            group["Metadata"] = np.stack(columns, axis=1)
    return path


def _velox_metadata(name, tilt, nm):
    table = {
        "BinaryResult": {
            "PixelSize": {"width": str(nm * 1e-9), "height": str(nm * 1e-9)},
            "PixelUnitX": "m",
            "PixelUnitY": "m",
            "Detector": name,
            "DetectorIndex": "0",
        },
        "Acquisition": {"AcquisitionStartDatetime": {"DateTime": "1600000000"}},
        "Detectors": {"Detector-0": {"DetectorName": name}},
        "Scan": {"FrameTime": "1.5"},
        "CustomProperties": {},
        "Stage": {} if tilt is None else {"AlphaTilt": str(np.radians(tilt))},
    }
    return json.dumps(table).encode()


def make_ser(stack, metres):
    """A TIA series of images: [image, y, x], as its format is described in the literature."""
    count, rows, columns = stack.shape
    pixel = struct.pack("<ddi", 0.0, metres, 0)
    data = [
        pixel * 2
        + struct.pack("<Hii", SER_TYPES[str(image.dtype)], columns, rows)
        + image.tobytes()
        for image in stack
    ]
    axis = struct.pack("<iddi", count, 0.0, 1.0, 0) + struct.pack("<i", 6) + b"Number"
    axis += struct.pack("<i", 0)
    first = 30 + len(axis)
    at = np.cumsum([first, *(len(one) + 8 for one in data)])[:-1].astype("<u4")
    tags = at + np.array([len(one) for one in data], "<u4")
    elements = b"".join(one + struct.pack("<HHi", 0x4152, 0, 1) for one in data)
    head = struct.pack("<HHHIIII", 0x4949, 0x0197, 0x0210, 0x4122, 0x4152, count, count)
    head += struct.pack("<Ii", first + len(elements), 1)
    return head + axis + elements + at.tobytes() + tags.tobytes()


@pytest.fixture
def plugins():
    """This plugin alone."""
    return Plugins(tomoinr_rosettasciio, installed=False)


@pytest.fixture
def stack():
    """Whole numbers without any symmetry: [image, row, column]."""
    return np.random.default_rng(0).integers(0, 200, (5, 7, 6)).astype(np.int16)


@pytest.fixture
def dm():
    return make_dm


@pytest.fixture
def velox():
    return make_velox


@pytest.fixture
def ser():
    return make_ser
