"""Notebooks stay thin, honest and executed: each house rule, held by a test."""

import ast
import itertools
import json
import re
from pathlib import Path

import pytest

from planlib import params

ROOT = Path(__file__).resolve().parent.parent
NAMES = list(params.NOTEBOOKS)


def notebook(name):
    return json.loads((ROOT / "notebooks" / f"{params.NOTEBOOKS[name].file}.ipynb").read_text(encoding="utf-8"))


def source(cell):
    return "".join(cell["source"])


def code(name):
    return [c for c in notebook(name)["cells"] if c["cell_type"] == "code"]


def test_every_notebook_is_declared():
    files = {p.stem for p in (ROOT / "notebooks").glob("*.ipynb")}
    assert files == {n.file for n in params.NOTEBOOKS.values()}


@pytest.mark.parametrize("name", NAMES)
def test_parameters_cell_is_the_declaration(name):
    first = code(name)[0]
    assert first["metadata"]["tags"] == ["parameters"]
    found = {}
    for node in ast.parse(source(first)).body:
        assert isinstance(node, ast.AnnAssign), "one annotated literal a line, so that papermill knows its type"
        found[node.target.id] = ast.literal_eval(node.value)
    assert found == params.defaults(name)
    assert all("#" in line for line in source(first).splitlines())


@pytest.mark.parametrize("name", NAMES)
def test_second_cell_checks_every_parameter(name):
    assert f'parameters = params.check("{name}", globals())' in source(code(name)[1])


@pytest.mark.parametrize("name", NAMES)
def test_cells_only_call(name):
    forbidden = (ast.FunctionDef, ast.ClassDef, ast.For, ast.While, ast.Try, ast.With, ast.If, ast.ListComp)
    for number, cell in enumerate(code(name), 1):
        tree = ast.parse(source(cell))
        assert not [n for n in ast.walk(tree) if isinstance(n, forbidden)], f"cell {number}"
        imports = [n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)]
        assert not imports or number == 2
        assert len(source(cell).splitlines()) <= 8, f"cell {number} is long"
        if number > 1:
            numbers = [
                n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, int | float)
            ]
            assert not [n for n in numbers if not isinstance(n, bool) and n > 99], f"cell {number} holds a number"


@pytest.mark.parametrize("name", NAMES)
def test_no_path_clock_chance_or_network(name):
    text = "\n".join(source(c) for c in code(name)[1:])
    assert not re.search(r"https?:|open\(|Path\(|\.csv|\.parquet|datetime|random|time\.|%|^!", text, re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_a_bilingual_word_before_every_code_cell(name):
    cells = notebook(name)["cells"]
    for before, cell in itertools.pairwise(cells):
        if cell["cell_type"] == "code":
            if "parameters" not in cell["metadata"].get("tags", []):
                assert before["cell_type"] == "markdown"
            if before["cell_type"] == "markdown":
                assert "<!-- zh -->" in source(before)
                assert "<!-- en -->" in source(before)


@pytest.mark.parametrize("name", NAMES)
def test_committed_as_one_clean_run(name):
    stored = notebook(name)
    cells = code(name)
    assert [c["execution_count"] for c in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        assert len(cell["outputs"]) <= 1, "one output a cell"
        kinds = {o["output_type"] for o in cell["outputs"]}
        assert kinds <= {"execute_result", "display_data"}
        tags = cell["metadata"].get("tags", [])
        if {"figure", "table", "text"} & set(tags):
            assert cell["outputs"], source(cell)
        if "figure" in tags:
            output = cell["outputs"][0]
            assert output["data"]["image/png"]
            assert len(output["metadata"]["image/png"]["alt"]) > 12  # Chinese says much in little
    assert stored["metadata"]["kernelspec"]["name"] == "python3"
    assert "papermill" not in stored["metadata"]
    assert not [c for c in stored["cells"] if {"papermill", "execution"} & set(c["metadata"])]
    text = "".join(source(c) + json.dumps(c["outputs"]) for c in cells)
    assert not re.search(r"/home/|/Users/|/tmp/|image/svg", text)


# Counts of the shipped plan: of indicators, series, promises; a plan of another district has others.
SHIPPED = re.compile(
    r"二十|twenty|(?<![\d.])(?:20|24|73|106)(?![\d.])|[一二三四五六七八九十百]+项?(?:指标|序列|任务)",
    re.IGNORECASE,
)


@pytest.mark.parametrize("name", NAMES)
def test_the_fixed_text_holds_no_count_of_the_shipped_case(name):
    told = [source(c) for c in notebook(name)["cells"] if c["cell_type"] == "markdown"]
    assert not [found[0] for text in told for found in SHIPPED.finditer(text)]
    assert all(map(SHIPPED.search, ("二十项指标", "of the twenty", "106 promises")))
