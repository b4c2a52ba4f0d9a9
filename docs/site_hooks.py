"""What MkDocs is told beyond mkdocs.yml: pages for files outside docs/, and equations.

Links in docs/ are as they work in the repository. Every file outside docs/ that a page leads to
becomes a page under `repo/`: Markdown as it is, a folder as a list, anything else as code.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.structure.files import File, Files, InclusionLevel

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs"))

from equations import equation  # noqa: E402 - beside this file, which is no package

LINK = re.compile(r"(?<=\]\()([^)\s#]+)")
FENCED = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
LANGUAGES = {".py": "python", ".sh": "sh", ".toml": "toml", ".yml": "yaml"}
IN_NAV = ("CHANGELOG.md", "CONTRIBUTING.md", "examples/README.md", "benchmarks/RESULTS.md")
CODE_PAGE = """\
---
search:
  exclude: true
---
# `{path}`

{body}
"""


def on_config(config: Any) -> Any:
    """Blocks of ```math become pictures."""
    fences = config.mdx_configs.setdefault("pymdownx.superfences", {})
    fences["custom_fences"] = [{"name": "math", "class": "math", "format": equation}]
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add a page for every file outside docs/ that is linked to, from there on as well."""
    waiting = [ROOT / "docs" / file.src_uri for file in files if file.src_uri.endswith(".md")]
    waiting += [ROOT / path for path in IN_NAV]
    known: set[str] = set()
    while waiting:
        path = waiting.pop()
        uri = uri_of(path)
        if uri in known or not path.exists():  # a dead link is told of by MkDocs
            continue
        known.add(uri)
        if files.get_file_from_path(uri) is None:
            page = File.generated(config, uri, content=text_of(path))
            page.inclusion = InclusionLevel.NOT_IN_NAV
            files.append(page)
        if path.suffix == ".md":
            waiting += [target for link in links(path) if (target := aimed_at(path, link))]
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Links to files outside docs/ lead to their pages."""
    here = path_of(page.file.src_uri)
    if here.suffix != ".md":
        return markdown

    def led(match: re.Match[str]) -> str:
        target = aimed_at(here, match[0])
        return match[0] if target is None else relative(uri_of(target), page.file.src_uri)

    return outside_code(markdown, lambda text: LINK.sub(led, text))


def outside_code(markdown: str, change: Callable[[str], str]) -> str:
    """The text with everything changed but its fenced blocks."""
    pieces = FENCED.split(markdown)
    return "".join(piece if piece.startswith("```") else change(piece) for piece in pieces)


def links(page: Path) -> list[str]:
    """Targets of a page's links, without anchors."""
    found: list[str] = []
    outside_code(page.read_text("utf-8"), lambda text: found.extend(LINK.findall(text)) or text)
    return found


def aimed_at(page: Path, link: str) -> Path | None:
    """The file that a relative link of a page leads to, as far as there is one."""
    if "://" in link or link.startswith("mailto:"):
        return None
    target = Path(os.path.normpath(page.parent / link))
    if (target / "README.md").is_file():
        return target / "README.md"
    return target if target.exists() else None


def uri_of(path: Path) -> str:
    """Where a file of the repository is in the site's sources."""
    inside = PurePosixPath(path.relative_to(ROOT).as_posix())
    if inside.parts[0] == "docs" and inside.suffix != ".py":
        return str(inside.relative_to("docs"))
    return f"repo/{inside}" + ("" if inside.suffix == ".md" else ".md")


def path_of(uri: str) -> Path:
    """The file that `uri_of` was asked for."""
    if not uri.startswith("repo/"):
        return ROOT / "docs" / uri
    path = ROOT / uri.removeprefix("repo/")
    return path if path.exists() else path.with_suffix("")


def relative(uri: str, page: str) -> str:
    """A link from a page of the site's sources to another."""
    return os.path.relpath(uri, os.path.dirname(page) or ".")


def text_of(path: Path) -> str:
    """A page's Markdown: the file's own, its code, or a folder's list."""
    if path.suffix == ".md":
        return path.read_text("utf-8")
    if path.is_file():
        body = f"````{LANGUAGES.get(path.suffix, 'text')}\n{path.read_text('utf-8')}````"
    else:
        body = "\n".join(f"- `{p.name}`" for p in sorted(path.iterdir()) if p.name[0] not in "._")
    return CODE_PAGE.format(path=path.relative_to(ROOT), body=body)
