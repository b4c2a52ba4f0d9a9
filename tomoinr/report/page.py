"""The page: templates filled, one file that loads nothing."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from tomoinr.report import words
from tomoinr.report.content import Content, tables
from tomoinr.version import __version__

NUMBER = re.compile(r"[-+.\de]+")
TEMPLATES = files("tomoinr.report") / "templates"
SCRIPTS = ("unpack", "axes", "plot", "curves", "picture", "contrast", "slices", "spectrum", "tilts")
SECTIONS = {
    "summary": "Summary",
    "slices": "Slices",
    "spectrum": "Spectrum",
    "halves": "Halves",
    "course": "Course",
    "poses": "Poses",
    "tilts": "Images",
    "origin": "Origin",
}


def page(content: Content) -> str:
    """HTML of everything."""
    subject = content.subject
    table, blobs = tables(content)
    found = words.warnings(subject)
    return Template(_template("page.html")).substitute(
        version=__version__,
        title=escape(words.title(subject)),
        style=_template("style.css"),
        nav="".join(f'<a href="#{name}">{title}</a>' for name, title in SECTIONS.items()),
        verdict=_verdict(found, bool(subject.trust)),
        warnings=_box("warn", "Warnings", found),
        missing=_box("plain", "Not in this report", content.missing),
        tiles="".join(_tile(tile) for tile in words.tiles(subject)),
        facts="".join(f"<dt>{escape(n)}</dt><dd>{escape(v)}</dd>" for n, v in words.facts(subject)),
        volume_notes=escape(" ".join(content.shown.notes)),
        recipe=_pre(_shorter(subject.recipe_text), "There is no recipe.toml."),
        origins=_origins(words.origins(subject)),
        notes=_list(words.notes(subject), "notes"),
        content=json.dumps(_plain(table), allow_nan=False).replace("<", "\\u003c"),
        blobs="".join(_blob(name, letters) for name, letters in blobs.items()),
        script="\n".join(_template(f"{name}.js") for name in (*SCRIPTS, "main")),
    )


def _template(name: str) -> str:
    return (TEMPLATES / name).read_text("utf-8").strip()


def _verdict(warnings: list[str], judged: bool) -> str:
    if warnings:
        count = f"{len(warnings)} warning{'s' if len(warnings) > 1 else ''}"
        return f'<span class="verdict warn">{count}</span>'
    if judged:
        return '<span class="verdict good">no warnings</span>'
    return '<span class="verdict plain">not judged</span>'


def _box(kind: str, heading: str, lines: Iterable[str]) -> str:
    inner = _list(lines)
    return inner and f'<div class="box {kind}"><h2>{heading}</h2>{inner}</div>'


def _list(lines: Iterable[str], kind: str = "") -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    attribute = f' class="{kind}"' if kind else ""
    return items and f"<ul{attribute}>{items}</ul>"


def _tile(tile: words.Tile) -> str:
    label, value, note = map(escape, tile)
    return f'<div class="tile"><span>{label}</span><b>{value}</b><small>{note}</small></div>'


def _pre(text: str, otherwise: str) -> str:
    if not text:
        return f'<p class="message">{otherwise}</p>'
    return f'<pre tabindex="0" aria-label="Recipe">{escape(text)}</pre>'


def _shorter(recipe: str) -> str:
    """The same TOML, lists of numbers in one line."""
    return re.sub(r"\[\n(?:\s+[-+.\de]+,\n)+\]", lambda found: _one_line(found[0]), recipe)


def _one_line(numbers: str) -> str:
    return f"[{', '.join(NUMBER.findall(numbers))}]"


def _origins(rows: Iterable[tuple[str, str]]) -> str:
    lines = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>'
        for name, value in rows
    )
    if not lines:
        return '<p class="message">There is no provenance.json.</p>'
    return f'<table class="origins"><tbody>{lines}</tbody></table>'


def _blob(name: str, letters: str) -> str:
    return f'<script type="text/plain" id="{name}">{letters}</script>\n'


def _plain(value: Any) -> Any:
    """The same with what JSON has not replaced."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
