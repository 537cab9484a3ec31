"""Import directions between subpackages, and self-containedness of remote code files."""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parents[1] / "src" / "sensorlm_hf"

# The subpackages that each subpackage may import, besides itself.
ALLOWED: dict[str, set[str]] = {
    "_version": set(),
    "_extras": set(),
    "_lazy": set(),
    "_packaged": {"checkpoints"},
    "_start": {"_registration"},
    "activities": set(),
    "card_metadata": set(),
    "io": set(),
    "documents": set(),
    "schema": {"io", "documents"},
    "days": {"schema"},
    "modeling": set(),
    "processing": {"activities", "schema", "days", "_lazy"},
    "checkpoints": set(),
    "embedding": set(),
    "export": {"_extras", "_version", "io", "checkpoints", "modeling", "processing"},
    "retrieval": {"_extras", "checkpoints", "data", "days", "embedding", "io", "modeling", "processing"},
    "hub": {"io", "_version", "card_metadata", "data", "modeling", "processing"},
    "data": {"activities", "documents", "io", "schema", "days", "processing", "_extras", "_lazy", "_version"},
    "training": {
        "activities",
        "card_metadata",
        "io",
        "schema",
        "days",
        "modeling",
        "processing",
        "data",
        "embedding",
        "checkpoints",
        "_extras",
        "_version",
    },
    "metrics": {"activities", "schema", "days", "processing", "_extras", "_lazy"},
    "evaluation": {
        "activities",
        "card_metadata",
        "metrics",
        "io",
        "schema",
        "days",
        "modeling",
        "processing",
        "data",
        "plotting",
        "training",
        "checkpoints",
        "embedding",
        "_extras",
        "_lazy",
        "_version",
    },
    "pipelines": {"_lazy", "schema", "days", "modeling", "processing", "data", "checkpoints"},
    "plotting": {"schema", "days", "processing", "_extras", "_lazy"},
}
TOP = {"demo", "report", "commands", "cli", "__init__", "_registration"}
FILES = sorted(path for path in SRC.rglob("*.py") if "__pycache__" not in path.parts)


def part_of(path: Path) -> str:
    first = path.relative_to(SRC).parts[0]
    return first.removesuffix(".py")


def imported_parts(path: Path) -> set[str]:
    """Subpackages imported by a file, at any nesting depth."""
    package = ("sensorlm_hf", *path.relative_to(SRC).parts[:-1])
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            module = base + (node.module.split(".") if node.module else [])
            names = [module] if len(module) > 1 else [[*module, alias.name] for alias in node.names]
        else:
            continue
        found |= {name[1] for name in names if name[0] == "sensorlm_hf" and len(name) > 1}
    return found


def module_of(path: Path) -> str:
    parts = ("sensorlm_hf", *path.relative_to(SRC).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in FILES}


def statements(node: ast.AST, for_type_checkers: bool) -> Iterator[ast.AST]:
    """All nodes of a file, at any depth, with or without `TYPE_CHECKING` blocks."""
    for child in ast.iter_child_nodes(node):
        checked_only = isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING")
        if checked_only and not for_type_checkers:
            for other in child.orelse:
                yield other
                yield from statements(other, for_type_checkers)
            continue
        yield child
        yield from statements(child, for_type_checkers)


def imported_modules(source: str, module: str, is_package: bool) -> set[str]:
    """Modules of the package imported by a file, including inside functions.

    `TYPE_CHECKING` imports are included, except in `__init__` files, where they declare the lazy names.
    """
    package = module.split(".") if is_package else module.split(".")[:-1]
    found: set[str] = set()
    for node in statements(ast.parse(source), for_type_checkers=not is_package):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            home = ".".join([*base, *([node.module] if node.module else [])])
            names = {f"{home}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else home for name in names}
    return (found & set(MODULES)) - {module}


def test_no_circular_imports() -> None:
    """Imports inside functions count too: they hide a cycle but do not remove it."""
    graph = {
        module: imported_modules(path.read_text(encoding="utf-8"), module, path.name == "__init__.py")
        for module, path in MODULES.items()
    }
    assert graph["sensorlm_hf.data.cohorts"] >= {"sensorlm_hf.data.cohorts_ray", "sensorlm_hf.io"}, (
        "imports inside functions should be found"
    )
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


def test_type_checking_imports_count_except_in_init_files() -> None:
    source = """
if TYPE_CHECKING:
    from .builder import CaptionBuilder
else:
    from .budget import fit
def run():
    from ...schema import get_schema
"""
    run = {"sensorlm_hf.processing.captions.budget", "sensorlm_hf.schema"}
    found = imported_modules(source, "sensorlm_hf.processing.captions.mapper", False)
    assert found == run | {"sensorlm_hf.processing.captions.builder"}
    assert imported_modules(source, "sensorlm_hf.processing.captions", True) == run


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SRC)))
def test_import_directions(path: Path) -> None:
    part = part_of(path)
    if part in TOP:
        return
    assert part in ALLOWED, f"{path.name}: add the allowed imports of {part!r} to this test"
    assert imported_parts(path) - {part} <= ALLOWED[part]


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in FILES
        if path.name != "__init__.py"
        and (part_of(path) in ("modeling", "pipelines") or path.name.endswith("_sensorlm.py"))
    ],
    ids=lambda path: path.name,
)
def test_remote_code_files_use_flat_imports(path: Path) -> None:
    """Remote code is one flat folder: only `from .file import name` between its files."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            assert node.level == 1, f"line {node.lineno}"
            assert node.module, f"line {node.lineno}"
            assert "." not in node.module, f"line {node.lineno}"
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            assert not any(name.split(".")[0] == "sensorlm_hf" for name in names), f"line {node.lineno}"


def test_remote_code_files_have_unique_names() -> None:
    names = [path.name for path in FILES if part_of(path) in ("modeling", "pipelines") or "_sensorlm" in path.name]
    names = [name for name in names if name != "__init__.py"]
    assert len(names) == len(set(names))


def test_public_names_match_type_checking_imports() -> None:
    import sensorlm_hf

    tree = ast.parse((SRC / "__init__.py").read_text(encoding="utf-8"))
    checked = {
        alias.name: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert checked == sensorlm_hf._PUBLIC
    assert set(sensorlm_hf.__all__) == {*checked, "__version__"}
    assert all(getattr(sensorlm_hf, name) is not None for name in sensorlm_hf.__all__)
