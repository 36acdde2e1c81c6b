"""The walls of the house: who may import whom, read from the imports of every module; no circle anywhere."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "seisflow"
NOUNS = {"ensemble", "grid", "covariance", "seeds", "units", "errors", "tables"}
"""Modules at the root that everybody may import, and that import each other only."""
SCIENCE = {"geology", "prior", "dynamics", "observation", "learning", "analysis", "diagnostics"}
ALLOWED: dict[str, set[str]] = {
    "geology": set(),
    "prior": {"geology", "learning"},
    "dynamics": set(),
    "observation": set(),
    "learning": set(),
    "diagnostics": set(),
    "storage": set(),
    "analysis": {"learning", "diagnostics", "dynamics", "observation"},
    "assimilation": {"prior", "dynamics", "observation", "analysis", "storage"},
    "inference": {"assimilation", "analysis", "learning", "prior", "diagnostics", "observation", "dynamics", "storage"},
    "decision": {"assimilation", "analysis", "learning", "prior", "diagnostics", "observation", "dynamics", "storage"},
    "testbeds": {"prior", "dynamics", "observation", "analysis", "diagnostics", "learning"},
    "study": SCIENCE | {"assimilation", "inference", "decision"},
    "runs": SCIENCE | {"assimilation", "inference", "decision", "study", "storage"},
    "report": SCIENCE | {"runs", "study", "storage", "assimilation"},
    "runner": {"assimilation", "study", "runs", "storage", "report", "analysis", "observation", "prior"},
    "cli": {"runner", "runs", "study", "report", "dynamics", "storage", "assimilation"},
}
CONTRACTS = {
    ("analysis", "dynamics"): {"dynamics.base", "dynamics.vector_model", "dynamics.torch_model"},
    ("analysis", "observation"): {"observation.base", "observation.data", "observation.vector"},
    ("assimilation", "prior"): {"prior.base"},
    ("assimilation", "dynamics"): {"dynamics.base"},
    ("assimilation", "observation"): {"observation.base"},
    ("assimilation", "analysis"): {"analysis.base", "analysis.static_covariance"},
    ("runner", "prior"): {"prior.base"},
    ("runner", "observation"): {"observation.base"},
    ("runner", "analysis"): {"analysis.base", "analysis.table"},
}
"""Between these rooms the contracts alone are known."""


def modules() -> dict[str, Path]:
    found = {}
    for file in sorted(ROOT.rglob("*.py")):
        parts = file.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


MODULES = modules()


def imports(file: Path, *, types: bool = True, at_import: bool = False) -> Iterator[str]:
    """Modules of seisflow that a file imports, without ``seisflow.``; ``""`` is the package itself.

    ``types``: those of annotations alone, too; ``at_import``: only those that are loaded when the file is.
    """
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for_types = {
        n
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for n in node.body
    }
    for node in tree.body if at_import else ast.walk(tree):
        if node in for_types and not types:
            continue
        if isinstance(node, ast.Import):
            yield from (a.name.removeprefix("seisflow").lstrip(".") for a in node.names if _ours(a.name))
        elif isinstance(node, ast.ImportFrom) and node.module and _ours(node.module):
            source = node.module.removeprefix("seisflow").lstrip(".")
            for alias in node.names:
                inner = f"{source}.{alias.name}".lstrip(".")
                yield inner if inner in MODULES else source


def _ours(name: str) -> bool:
    return name == "seisflow" or name.startswith("seisflow.")


def room(module: str) -> str:
    return module.split(".")[0]


def test_that_no_module_stands_behind_a_wall_it_imports_through():
    forbidden = []
    for module, file in MODULES.items():
        here = room(module)
        for target in imports(file):
            there = room(target)
            if there in {here, ""} or there in NOUNS:
                continue
            if there not in ALLOWED.get(here, set()):
                forbidden.append(f"{module} → {target}")
            elif (here, there) in CONTRACTS and target not in CONTRACTS[here, there]:
                forbidden.append(f"{module} → {target} (only the contract)")
    assert not forbidden, "\n".join(forbidden)


def test_that_every_room_has_its_walls():
    rooms = {room(module) for module in MODULES} - {""}
    assert rooms - NOUNS == set(ALLOWED) & rooms


def test_that_the_root_holds_the_nouns_and_the_main_job_alone():
    at_root = sorted(file.stem for file in ROOT.glob("*.py"))
    assert len(at_root) <= 9
    assert set(at_root) <= NOUNS | {"__init__", "runner"}


@pytest.mark.parametrize("depth", [1, 2, 99], ids=["rooms", "rooms within rooms", "modules"])
def test_that_there_is_no_circle(depth):
    graph: dict[str, set[str]] = {}
    for module, file in MODULES.items():
        here = ".".join(module.split(".")[:depth])
        for target in imports(file, types=depth == 1, at_import=depth == 99):
            there = ".".join(target.split(".")[:depth])
            if here and there and there != here:
                graph.setdefault(here, set()).add(there)
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" → ".join(reversed(error.args[1])))
