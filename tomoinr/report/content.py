"""All that a report shows, worked out once: for the page, and for the figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from tomoinr.errors import TomoinrError, reason
from tomoinr.report import curves, words
from tomoinr.report.packing import letters, packed, window
from tomoinr.report.pose_bars import bars
from tomoinr.report.spectrum import Spectrum, depth, spectrum, wedge
from tomoinr.report.subject import Subject
from tomoinr.report.tilts import Tilts, compared
from tomoinr.report.volumes import Shown, shown, volumes_table

T = TypeVar("T")
Errors = dict[str, list[float | None]]
SIGMAS = 4.0  # of the residuals, that their picture's colours reach


@dataclass(frozen=True, eq=False)
class Content:
    """Volumes, images, error bars of poses and spectra (of each volume, of each channel)."""

    subject: Subject
    shown: Shown
    tilts: Tilts | None
    errors: Errors
    spectra: dict[str, list[Spectrum]]
    missing: tuple[str, ...]

    @property
    def range(self) -> float:
        """Of the spectra, in dB."""
        return depth(found for channels in self.spectra.values() for found in channels)

    @property
    def held(self) -> bool:
        """Whether poses were given, not found."""
        return bool(self.subject.recipe.get("poses", {}).get("name") == "fixed")


def gather(subject: Subject) -> Content:
    """Work it out; what cannot be is missing, not an end."""
    missing = list(subject.missing)

    def tried(what: str, work: Callable[[], T], otherwise: T) -> T:
        try:
            return work()
        except (TomoinrError, RuntimeError) as error:
            missing.append(f"{what}: {reason(error)}")
            return otherwise

    volumes = shown(subject)
    missing += volumes.missing
    result, tilts = subject.result, None
    errors: Errors = {}
    if result is not None:
        tilts = tried("residual images", lambda: compared(result), None)
        held = subject.recipe.get("poses", {}).get("name") == "fixed"
        if tilts is not None and not held:
            variance = tilts.variance
            errors = tried("error bars of poses", lambda: bars(result, variance), errors)
    spectra = {n: [spectrum(channel) for channel in v] for n, v in volumes.volumes.items()}
    return Content(subject, volumes, tilts, errors, spectra, tuple(missing))


def tables(content: Content) -> tuple[dict[str, Any], dict[str, str]]:
    """Plain values for the page, and the bytes that they speak of, by name."""
    subject = content.subject
    volumes, blobs = volumes_table(subject, content.shown)
    table: dict[str, Any] = {
        "unit": words.unit(subject),
        "volume": volumes,
        "spectrum": _spectrum_table(content, blobs),
        "tilts": _tilts_table(content, blobs),
        "fsc": curves.fsc_table(subject),
        "course": curves.course_table(subject),
        "poses": curves.poses_table(subject, content.errors, content.held),
    }
    return table, blobs


def _spectrum_table(content: Content, blobs: dict[str, str]) -> dict[str, Any]:
    first = next(iter(content.spectra.values()))[0]
    names = []
    for number, (name, channels) in enumerate(content.spectra.items()):
        powers = [packed(channel.power, -content.range, 0.0).values for channel in channels]
        blobs[f"spectrum-{number}"] = letters(*powers)
        names.append({"name": name, "blob": f"spectrum-{number}"})
    angles = content.subject.poses.get("tilt")
    return {
        "shape": list(first.power.shape),
        "kz": list(first.kz),
        "kx": list(first.kx),
        "range": content.range,
        "methods": names,
        "wedge": list(wedge(angles)) if angles else None,
    }


def _tilts_table(content: Content, blobs: dict[str, str]) -> dict[str, Any] | None:
    """Images sorted by angle, as the poses are."""
    tilts, result = content.tilts, content.subject.result
    if tilts is None or result is None:
        return None
    angles = result.series.angles.numpy()
    order = np.argsort(angles, kind="stable")
    measured = [packed(channel[order]) for channel in tilts.measured]
    reach = [SIGMAS * float(np.sqrt(np.square(c).mean())) or 1.0 for c in tilts.residual]
    residual = [packed(c[order], -r, r) for c, r in zip(tilts.residual, reach, strict=True)]
    blobs["measured"] = letters(*(one.values for one in measured))
    expected = [
        packed((tilts.measured - tilts.residual)[i][order], one.low, one.high)
        for i, one in enumerate(measured)
    ]
    blobs["predicted"] = letters(*(one.values for one in expected))
    blobs["residual"] = letters(*(one.values for one in residual))
    chi2 = content.subject.trust.get("chi2", {})
    judged = {tilt["section"]: tilt["chi2"] for tilt in chi2.get("tilts", ())}
    sections = [int(result.series.sections[i]) for i in order]
    return {
        "shape": list(tilts.measured.shape[1:]),
        "factor": tilts.factor,
        "angles": angles[order].tolist(),
        "sections": sections,
        "scales": [[one.low, one.high] for one in measured],
        "reach": reach,
        "windows": [list(window(channel)) for channel in tilts.measured],
        "left": tilts.left[:, order].tolist(),
        "chi2": [judged.get(s) for s in sections] if judged else None,
        "channel": content.subject.trust.get("channel"),
    }
