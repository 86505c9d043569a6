"""The house rules that a grep can hold."""

import ast
import graphlib
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "planlib"
MODULES = sorted(p for p in PACKAGE.rglob("*.py") if "notebooks" not in p.parts)
FILES = {
    ".".join(("planlib", *p.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): p
    for p in MODULES
}

# Rooms from the ground up; a room imports itself and those below it, pure rooms none of their neighbours.
BASE = {"errors", "paths"}
ALLOWED = {
    "errors": set(),
    "paths": {"errors"},
    "store": BASE,
    "params": BASE | {"registry"},
    "freshness": BASE | {"store", "params", "registry"},
    "registry": BASE,
    "schema": BASE | {"registry", "store"},
    "clean": BASE | {"registry", "schema", "store", "freshness"},
    "standard": BASE,
    "balance": BASE | {"standard"},
    "forecast": BASE,
    "enrolment": BASE,
    "evaluate": BASE,
    "measures": {"errors"},
    "sample": BASE | {"registry", "schema", "store", "standard", "balance", "measures"},
    "template": BASE | {"registry", "schema", "freshness", "sample"},
    "district": BASE
    | {"store", "params", "freshness", "registry", "schema", "clean", "standard", "balance", "forecast"}
    | {"enrolment", "evaluate", "measures"},
    "words": BASE | {"registry"},
    "columns": BASE | {"registry", "schema", "words"},
    "figures": BASE | {"registry", "words", "columns", "evaluate"},
    "narrative": BASE | {"registry", "words", "columns", "figures", "district", "schema", "standard", "evaluate"},
    "answers": BASE | {"params", "store", "registry", "columns", "district", "clean"},
    "run": BASE | {"store", "params", "freshness", "registry", "schema", "words", "columns", "clean"},
}


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(path: Path) -> set[str]:
    """Rooms of planlib that a module imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "planlib":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("planlib."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("planlib.")}
    return found - {"__version__"}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_imports_go_one_way(path):
    here = room(path)
    if here in {"__init__", "cli"}:
        return
    assert imported(path) - {here} <= ALLOWED[here]


def modules_imported(path):
    """Every planlib module that a file names in an import, wherever it stands, with the names it takes."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "planlib":
            for name in (alias.name for alias in node.names):
                inner = f"{node.module}.{name}"
                found.append((inner, "") if inner in FILES else (node.module, name))
        elif isinstance(node, ast.Import):
            found += [(alias.name, "") for alias in node.names if alias.name in FILES]
    return found


def test_no_module_imports_itself_by_way_of_others():
    """Imports inside functions and for types only count too: they would be circles that nothing shows."""
    sorter = graphlib.TopologicalSorter(
        {name: {other for other, _ in modules_imported(path)} for name, path in FILES.items()}
    )
    sorter.prepare()  # raises CycleError, which names the circle


def test_no_module_takes_a_private_name_of_another():
    taken = [
        f"{module}: {other}.{name}"
        for module, path in FILES.items()
        for other, name in modules_imported(path)
        if re.match("_[^_]", name)
    ]
    for module, path in FILES.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        called = {name.rsplit(".", 1)[1] for name, inner in modules_imported(path) if not inner and "." in name}
        taken += [
            f"{module}: {node.value.id}.{node.attr}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
            if node.value.id in called and re.match("_[^_]", node.attr)
        ]
    assert taken == []


CLEAN = ("files", "words", "layout", "values", "tables")  # as a cell goes through them
BESIDE = {"issues", "frames"}


@pytest.mark.parametrize(
    "path", sorted((PACKAGE / "clean").glob("*/*.py")), ids=lambda p: f"{p.parent.name}/{p.stem}"
)
def test_a_cell_goes_through_the_rooms_of_clean_one_way(path):
    taken = {f"{module}.{name}" for module, name in modules_imported(path)}
    rooms = {name.split(".")[2] for name in taken if name.startswith("planlib.clean.")}
    assert rooms <= {*CLEAN[: CLEAN.index(path.parent.name) + 1], *BESIDE}
    if path.parent.name == "files":  # what reads strangers' files starts at once and stays small
        assert {".".join(name.split(".")[:3]) for name in taken} <= {
            "planlib.clean.files",
            "planlib.errors.DataError",
        }


def test_the_map_of_clean_names_every_module():
    from planlib import clean

    named = set(re.findall(r"``([a-z_]+)``", clean.__doc__))
    assert named == {
        *(path.stem for path in (PACKAGE / "clean").rglob("[a-z]*.py")),
        *(path.parent.name for path in (PACKAGE / "clean").rglob("*/__init__.py")),
    } - {"clean"}


def texts(path):
    """String constants of a module that are no docstrings: line and text."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    bare = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    found = [n for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    return [(node.lineno, node.value) for node in found if node not in bare]


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_no_chinese_in_code_but_in_docstrings_and_comments(path):
    if path.name == "cli.py":  # one line of help per command, in both languages
        return
    assert [found for found in texts(path) if re.search(r"[\u4e00-\u9fff]", found[1])] == []


def test_no_district_is_named_in_code():
    named = [p.name for p in MODULES if any("shangcheng" in text for _, text in texts(p))]
    assert named == ["params.py"]  # the default, the shipped case


def test_importing_planlib_and_its_command_imports_nothing_heavy():
    import subprocess

    code = "import sys, planlib.cli; print([m for m in ('pandas','numpy','matplotlib','papermill') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_public_functions_are_documented_and_typed():
    bare = []
    for path in MODULES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                arguments = node.args.args + node.args.kwonlyargs
                is_typed = node.returns is not None and all(a.annotation is not None for a in arguments)
                if not ast.get_docstring(node) or not is_typed:
                    bare.append(f"{path.relative_to(PACKAGE)}:{node.lineno} {node.name}")
    assert bare == []
