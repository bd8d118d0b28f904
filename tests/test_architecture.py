"""The shape of the house, read from the source: layers point down, the kernel is pure, files stay small.

The rules are functions over a folder of sources, so that they can be run on a damaged copy: a rule
that has never been seen to fail guards nothing.
"""

from __future__ import annotations

import ast
import functools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = "confidence_engine"
SOURCE = Path(__file__).resolve().parent.parent / "src" / PACKAGE

# Rank of every part of the package; an import may only go to a lower rank or stay inside its own part.
LAYERS = (
    ("domain",),
    ("kernel", "net"),
    ("feeds", "text", "venues", "journal"),
    ("config",),
    ("drivers",),
    ("learn", "evaluate"),
    ("report",),
    ("ops",),
    ("wire",),
    ("cli",),
    ("__main__",),
)
RANK = {part: rank for rank, parts in enumerate(LAYERS) for part in parts}
PEERS = LAYERS[2]
COMPILED_VENUE = "venues.sim"
WORDS = {"__future__", "typing", "collections", "enum"}
KERNEL_MAY = WORDS | {"math", "numpy", "numba", "hashlib", PACKAGE}  # a hash of bytes is as pure as a sum
DOMAIN_MAY = WORDS | {"math", "re", "datetime", "hashlib", "numpy", "msgspec", "numba", PACKAGE}
JIT_MAY = DOMAIN_MAY | {"pathlib", "contextlib", "shutil", "llvmlite"}
HEAVY = {"numpy", "numba", "llvmlite", "polars", "pyarrow", "matplotlib", "scipy", "torch", "sklearn"}
BANNED = {"utils", "util", "core", "common", "manager", "helper", "helpers", "base", "enhanced", "advanced"}
BROAD = {"Exception", "BaseException"}
MAX_LINES = 400


class Import(NamedTuple):
    """One import: the importing module, what it imports, on which line, and whether at module level."""

    module: str
    target: str
    line: int
    top: bool

    @property
    def outer(self) -> str:
        return self.target.split(".")[0]

    @property
    def inner(self) -> str:
        """Dotted name below the package, "" for imports from outside."""
        return self.target.removeprefix(PACKAGE).lstrip(".") if self.outer == PACKAGE else ""

    def says(self, why: str) -> str:
        return f"{self.module}:{self.line} imports {self.target}: {why}"


@functools.lru_cache(maxsize=4096)
def parsed(text: str) -> ast.Module:
    """The tree of one source text; the copies share it with the original."""
    return ast.parse(text)


def modules_of(source: Path) -> dict[str, Path]:
    """Dotted name below the package -> file; a package's `__init__` bears the package's name."""
    found = {}
    for file in sorted(source.rglob("*.py")):
        parts = file.relative_to(source).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def imports_of(source: Path) -> list[Import]:
    """Every import of every module, those inside functions and type checks too."""
    modules = modules_of(source)
    found: list[Import] = []
    for module, file in modules.items():
        tree = parsed(file.read_text("utf-8"))
        inside = {id(n) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for n in ast.walk(f)}
        for node in ast.walk(tree):
            for target in _targets(node, module, file.name == "__init__.py", modules):
                found.append(Import(module, target, getattr(node, "lineno", 0), id(node) not in inside))
    return found


def _targets(node: ast.AST, module: str, is_package: bool, modules: dict[str, Path]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        start = node.module or ""
        if node.level:
            here = [PACKAGE, *(part for part in module.split(".") if part)]
            up = here[: len(here) - node.level + is_package]
            start = ".".join([*up, start]).rstrip(".")
        below = start.removeprefix(PACKAGE).lstrip(".")
        for alias in node.names:
            name = f"{below}.{alias.name}".lstrip(".")
            yield f"{PACKAGE}.{name}" if start.split(".")[0] == PACKAGE and name in modules else start


def upward(source: Path) -> list[str]:
    """Imports that point up or across, and modules of no known part."""
    faults = [f"{m}: belongs to no layer" for m in modules_of(source) if m and m.split(".")[0] not in RANK]
    for one in imports_of(source):
        mine, other = one.module.split(".")[0], one.inner.split(".")[0]
        if not one.inner or mine not in RANK or mine == other:
            continue
        compiled = one.module.startswith(COMPILED_VENUE)
        if other not in RANK or RANK[other] >= RANK[mine]:
            faults.append(one.says(f"{other} is not below {mine}"))
        elif mine in PEERS and other == "kernel" and not compiled:
            faults.append(one.says("only the compiled venue may know the kernel"))
    return faults


def impure(source: Path) -> list[str]:
    """Kernel and domain modules that reach for a clock, the disk, chance or a library not theirs; torch in drivers."""
    faults = []
    for one in imports_of(source):
        part = one.module.split(".")[0]
        may = {"kernel": KERNEL_MAY, "domain": JIT_MAY if one.module == "domain.jit" else DOMAIN_MAY}.get(part)
        if may is not None and one.outer not in may:
            faults.append(one.says(f"not allowed in {part}"))
        if part == "kernel" and one.target.startswith("numpy.random"):
            faults.append(one.says("no chance in the kernel"))
        if part == "drivers" and one.outer == "torch":
            faults.append(one.says("models reach a driver as SCORE events"))
    for module, tree in trees(source):
        for node in ast.walk(tree):
            if not isinstance(node, ast.Attribute):
                continue
            if module.startswith("kernel") and node.attr == "random":
                faults.append(f"{module}:{node.lineno} no chance in the kernel")
            if node.attr in ("njit", "jit", "vectorize", "guvectorize") and module != "domain.jit":
                faults.append(f"{module}:{node.lineno} compiler options stand in domain/jit alone")
    return faults


def heavy(source: Path) -> list[str]:
    """Libraries that a command line imports before it knows it needs them."""
    return [one.says("import it where it is used") for one in imports_of(source)
            if one.module.split(".")[0] in ("cli", "wire", "__main__") and one.top and one.outer in HEAVY]  # fmt: skip


def circles(source: Path) -> list[str]:
    """Modules that import themselves by way of others."""
    modules = modules_of(source)
    graph: dict[str, set[str]] = {module: set() for module in modules}
    for one in imports_of(source):
        if one.inner in modules and one.inner != one.module:
            graph[one.module].add(one.inner)
    done: set[str] = set()
    faults: list[str] = []

    def visit(module: str, path: tuple[str, ...]) -> None:
        if module in path:
            faults.append(" -> ".join([*path[path.index(module) :], module]))
        elif module not in done:
            for target in sorted(graph[module]):
                visit(target, (*path, module))
            done.add(module)

    for module in sorted(graph):
        visit(module, ())
    return faults


def trees(source: Path) -> Iterator[tuple[str, ast.Module]]:
    for module, file in modules_of(source).items():
        yield module, parsed(file.read_text("utf-8"))


def careless(source: Path) -> list[str]:
    """Broad excepts that do not raise again, and environment reads outside config."""
    faults = []
    for module, tree in trees(source):
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler):
                named = {n.id for n in ast.walk(node.type) if isinstance(n, ast.Name)} if node.type else BROAD
                passed_on = isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None
                if named & BROAD and not passed_on and module.split(".")[0] != "ops":
                    faults.append(f"{module}:{node.lineno} broad except")
            reads = isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv")
            if reads and module.split(".")[0] != "config":
                faults.append(f"{module}:{node.lineno} reads the environment")
    return faults


def misnamed(source: Path) -> list[str]:
    """Files and folders whose names say nothing."""
    return [m for m in modules_of(source) if BANNED & {w for part in m.split(".") for w in part.split("_")}]


def too_long(source: Path) -> list[str]:
    """Files of more than 400 lines."""
    counts = {m: len(file.read_text("utf-8").splitlines()) for m, file in modules_of(source).items()}
    return [f"{module}: {count} lines" for module, count in counts.items() if count > MAX_LINES]


def unlisted(source: Path) -> list[str]:
    """Modules without a docstring or `__all__`, names in it that do not exist, public definitions not in it."""
    faults = []
    for module, tree in trees(source):
        if not ast.get_docstring(tree):
            faults.append(f"{module}: does not say what it believes")
        if ".migrations." in module:
            continue  # scripts whose names Alembic asks for, run by it and imported by nobody
        listed, bound, defined = _surface(tree)
        if listed is None and not bound:
            continue  # a package that says what it is and holds nothing
        if listed is None:
            faults.append(f"{module}: no __all__")
            continue
        faults += [f"{module}: __all__ names {name}, which is not here" for name in listed if name not in bound]
        faults += [f"{module}: {name} is public and not in __all__" for name in defined if name not in listed]
    return faults


def _surface(tree: ast.Module) -> tuple[list[str] | None, set[str], list[str]]:
    listed: list[str] | None = None
    bound: set[str] = set()
    defined: list[str] = []
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            bound.add(node.name)
            defined += [] if node.name.startswith("_") else [node.name]
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            bound |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = {n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)}
            bound |= names
            if "__all__" in names and node.value is not None:
                listed = list(ast.literal_eval(node.value))
    return listed, bound, defined


RULES = (upward, impure, heavy, circles, careless, misnamed, too_long, unlisted)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps_its_shape(rule: Callable[[Path], list[str]]) -> None:
    assert rule(SOURCE) == []


PLANTS = [
    (upward, "domain/units.py", "from confidence_engine.kernel import state"),
    (upward, "text/__init__.py", "from confidence_engine.feeds import timing"),
    (upward, "feeds/timing.py", "def f():\n    import confidence_engine.kernel"),
    (upward, "feeds/timing.py", "from ..config import load"),
    (upward, "venues/alpaca.py", "from confidence_engine.kernel import state"),
    (upward, "config/values.py", "from confidence_engine import wire"),
    (upward, "strange/thing.py", ""),
    (impure, "kernel/state.py", "import time"),
    (impure, "kernel/state.py", "import numpy as np\nx = np.random"),
    (impure, "kernel/state.py", "from numpy.random import default_rng"),
    (impure, "kernel/state.py", "import numba\nf = numba.njit(print)"),
    (impure, "domain/units.py", "import os"),
    (impure, "domain/event.py", "import llvmlite"),
    (impure, "drivers/live.py", "def f():\n    import torch"),
    (heavy, "cli/show.py", "import polars"),
    (circles, "domain/errors.py", "from confidence_engine.domain import units"),
    (careless, "feeds/timing.py", "try:\n    pass\nexcept Exception:\n    pass"),
    (careless, "feeds/timing.py", "try:\n    pass\nexcept:\n    pass"),
    (careless, "text/__init__.py", "import os\nx = os.environ"),
    (misnamed, "feeds/csv_utils.py", ""),
    (too_long, "feeds/timing.py", "\n" * 400),
    (unlisted, "feeds/timing.py", "def loose():\n    pass"),
    (unlisted, "feeds/extra.py", '"""Says something."""\nLIMIT = 3'),
    (unlisted, "feeds/extra.py", '"""Says something."""\n__all__ = ["ghost"]'),
]


@pytest.mark.parametrize(("rule", "file", "plant"), PLANTS, ids=lambda p: getattr(p, "__name__", None))
def test_a_planted_fault_is_found(rule: Callable[[Path], list[str]], file: str, plant: str, tmp_path: Path) -> None:
    copy = tmp_path / PACKAGE
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    before = rule(copy)
    target = copy / file
    target.parent.mkdir(exist_ok=True)
    text = target.read_text("utf-8") if target.exists() else ""
    target.write_text(f"{text}\n{plant}\n", "utf-8")
    assert set(rule(copy)) - set(before), f"{rule.__name__} did not see: {plant}"


def test_the_compiled_venue_may_know_the_kernel(tmp_path: Path) -> None:
    for name in ("kernel", "venues"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text('"""x"""')
    (tmp_path / "kernel" / "margin.py").write_text("")
    (tmp_path / "venues" / "sim.py").write_text("from confidence_engine.kernel import margin")
    assert upward(tmp_path) == []
    (tmp_path / "venues" / "alpaca.py").write_text("from confidence_engine.kernel import margin")
    assert len(upward(tmp_path)) == 1
