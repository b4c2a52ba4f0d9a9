"""The house: imports go downwards only, and the core stays small."""

import ast
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE = ROOT / "tomoinr"

# A module may import those on the floors below it, and those to its left on its own floor.
FLOORS = (
    "version errors doing gradients geometry options",
    "data stack sampling team teams",
    "interfaces state metrics fsc pictures",
    "slicewise",
    "loop exact",
    "hookspecs faults",
    "plugins",
    "io recipe assemble checkpoint api __init__",
    "builtin trust report testing live cli",
    "__main__",
)
HIGHEST = {"metrics": 1, "fsc": 1, "pictures": 1, "builtin": 5}  # the top floor that these may use
APART = {("cli", "testing"), ("testing", "report")}
EXCEPTIONS = {  # methods that users look for on a value, though the work is done higher up
    ("data", "io", "TiltSeries.load"),
    ("data", "io", "TiltSeries.save"),
    ("data", "io", "Reconstruction.save"),
    ("data", "live", "TiltSeries._repr_html_"),
    ("data", "live", "Reconstruction._repr_html_"),
}
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names.split()}
ORDER = {name: place for place, name in enumerate(FLOOR)}
LIBRARIES: dict[str, set[str]] = {  # who may import them
    "pluggy": {name for name in FLOOR if FLOOR[name] >= FLOOR["hookspecs"]},
    "mpi4py": {"teams"},
    "torch.distributed": {"teams"},
    "astra": set(),  # its licence stays outside the core
    "tomopy": set(),  # pip cannot install it
}
CLOSED_TO_PLUGINS = {"recipe", "cli", "builtin"}
# Lines of code in the core; parts, files, contracts, the program and measures stand on it.
LARGEST = 1675
UNCOUNTED = {"builtin", "io", "checkpoint", "trust", "report", "testing", "teams", "cli", "live"}
UNCOUNTED |= {"exact"}
UNCOUNTED |= {"metrics", "fsc", "pictures"}

CORE_FILES = sorted(CORE.rglob("*.py"))
PLUGIN_FILES = sorted(ROOT.glob("plugins/*/tomoinr_*/**/*.py"))


def imports(tree: ast.AST, inside: str = "") -> Iterator[tuple[str, str]]:
    """Every import at any depth: the dotted name, and the class and function that it is in."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.Import(names=names):
                yield from ((name.name, inside) for name in names)
            case ast.ImportFrom(module=source, names=names, level=dots):
                yield from ((f"{'.' * dots}{source or ''}.{n.name}", inside) for n in names)
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                yield from imports(node, f"{inside}.{name}".strip("."))
            case _:
                yield from imports(node, inside)


def module(dotted: str) -> str | None:
    """`tomoinr.team.Solo` → `team`; a name of the package itself → `__init__`; others → `None`."""
    first, _, rest = dotted.partition(".")
    name = rest.partition(".")[0]
    known = name in FLOOR or (CORE / name).is_dir() or (CORE / f"{name}.py").is_file()
    return (name if name and known else "__init__") if first == "tomoinr" else None


def may_import(importer: str, imported: str) -> bool:
    """Whether one module of the core may import another."""
    if imported not in FLOOR or (importer, imported) in APART:
        return False
    within_reach = FLOOR[imported] <= HIGHEST.get(importer, len(FLOORS))
    return importer == imported or (within_reach and ORDER[imported] < ORDER[importer])


def import_faults(importer: str, dotted: str, inside: str) -> Iterator[str]:
    """What is wrong with one import in the core."""
    if dotted.startswith("."):
        yield f"imports {dotted} relatively: write the whole name"
    for library, users in LIBRARIES.items():
        if f"{dotted}.".startswith(f"{library}.") and importer not in users:
            yield f"imports {library}, left to: {', '.join(sorted(users)) or 'plugins'}"
    imported = module(dotted)
    excepted = (importer, imported, inside) in EXCEPTIONS
    if imported and not excepted and not may_import(importer, imported):
        place = f" in {inside}" if inside else ""
        floor = FLOOR.get(imported, "unknown")
        yield f"(floor {FLOOR[importer]}) imports {imported} (floor {floor}){place}"


def core_faults(importer: str, source: str) -> Iterator[str]:
    """What a file of the core imports and should not."""
    if importer not in FLOOR:
        yield "has no floor: give it one"
        return
    for dotted, inside in imports(ast.parse(source)):
        yield from import_faults(importer, dotted, inside)


def plugin_faults(source: str) -> Iterator[str]:
    """What a file of a plugin imports, though it is closed to strangers."""
    for dotted, _ in imports(ast.parse(source)):
        if module(dotted) in CLOSED_TO_PLUGINS:
            yield f"imports tomoinr.{module(dotted)}, which is closed to plugins"


def code_lines(source: str) -> int:
    """Lines that hold code: blank lines, comments and docstrings are free."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    seen = [t for t in tokens if t.string.strip() and t.type != tokenize.COMMENT]
    code = {line for t in seen for line in range(t.start[0], t.end[0] + 1)}
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Expr(value=ast.Constant(value=str()), lineno=first, end_lineno=last):
                code -= set(range(first, (last or first) + 1))
    return len(code)


def core_name(path: Path) -> str:
    """The module (or folder) of the core that a file belongs to."""
    return path.relative_to(CORE).with_suffix("").parts[0]


def test_core_imports_downwards() -> None:
    faults = [
        f"{path.relative_to(ROOT)} {fault}"
        for path in CORE_FILES
        for fault in core_faults(core_name(path), path.read_text())
    ]
    drawing = [f"  {floor} {FLOORS[floor]}" for floor in reversed(range(len(FLOORS)))]
    assert not faults, "\n".join([*faults, "imports go down, or left on a floor:", *drawing])


def test_plugins_see_what_a_stranger_sees() -> None:
    assert PLUGIN_FILES
    faults = [
        f"{p.relative_to(ROOT)} {f}" for p in PLUGIN_FILES for f in plugin_faults(p.read_text())
    ]
    assert not faults, "\n".join(faults)


def test_core_is_small() -> None:
    sizes = {p: code_lines(p.read_text()) for p in CORE_FILES if core_name(p) not in UNCOUNTED}
    listed = "\n".join(f"  {n:4d} {p.relative_to(ROOT)}" for p, n in sizes.items())
    assert sum(sizes.values()) <= LARGEST, f"{sum(sizes.values())} lines of code:\n{listed}"


WRONG = [
    ("data", "from tomoinr.io import load"),
    ("data", "def load(): from tomoinr.io import load"),
    ("geometry", "import tomoinr.data"),
    ("geometry", "from .errors import TomoinrError"),
    ("geometry", "from tomoinr import TiltSeries"),
    ("geometry", "def f():\n    if True:\n        from tomoinr import loop"),
    ("io", "from tomoinr.recipe import Recipe"),
    ("metrics", "from tomoinr.interfaces import Volume"),
    ("builtin", "from tomoinr.plugins import Plugins"),
    ("cli", "from tomoinr.testing import VolumeContract"),
    ("testing", "from tomoinr.cli import main"),
    ("loop", "import pluggy"),
    ("team", "import mpi4py.MPI"),
    ("team", "from torch import distributed"),
    ("builtin", "import astra"),
    ("cellar", ""),
]
RIGHT = [
    ("data", "class TiltSeries:\n    def load(self):\n        from tomoinr.io import load"),
    ("options", "from tomoinr.errors import TomoinrError"),
    ("recipe", "from tomoinr.io import load"),
    ("builtin", "from tomoinr.builtin.voxels import Voxels"),
    ("builtin", "from tomoinr.hookspecs import hookimpl"),
    ("testing", "from tomoinr import TiltSeries, builtin"),
    ("plugins", "import pluggy"),
    ("teams", "import mpi4py.MPI, torch.distributed"),
    ("team", "import torch, numpy"),
]


@pytest.mark.parametrize(("importer", "source"), WRONG)
def test_a_wrong_import_is_found(importer: str, source: str) -> None:
    assert len(list(core_faults(importer, source))) == 1


@pytest.mark.parametrize(("importer", "source"), RIGHT)
def test_a_right_import_passes(importer: str, source: str) -> None:
    assert list(core_faults(importer, source)) == []


@pytest.mark.parametrize("closed", sorted(CLOSED_TO_PLUGINS))
def test_a_side_door_is_found(closed: str) -> None:
    assert len(list(plugin_faults(f"def f():\n    from tomoinr import {closed}"))) == 1
    assert list(plugin_faults("from tomoinr import hookimpl")) == []


def test_only_code_is_counted() -> None:
    docstring, text = '"""Two\nlines."""\n', 'x = """a\nb"""  # two lines\n'
    assert code_lines(f"{docstring}\n# why\n{text}\n\ndef f():\n    {docstring}    return x\n") == 4
