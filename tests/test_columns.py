"""What a program reads beside each table and figure: the frame's own values, typed, and compared by strict nbval."""

import json
import subprocess
import sys

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbconvert import HTMLExporter

from planlib import narrative
from planlib.columns import FIGURE_MIME, TABLE_MIME, Column, typed
from planlib.figures.picture import sheet
from planlib.narrative.parts import Table

FRAME = pd.DataFrame(
    {
        "school_id": ["S1", "S2"],
        "school_name": ["甲", "乙"],
        "students": pd.array([300, pd.NA], dtype="Int64"),
        "cv": [1 / 3, float("nan")],
        "cv_shown": ["0.333", "—"],
        "is_met": [True, False],
    }
)


def payload(table):
    return table._repr_mimebundle_()[TABLE_MIME]


def test_a_table_carries_its_values_types_units_and_hidden_keys():
    table = Table(
        FRAME,
        [
            Column("school_name", "school"),
            Column("students", "students_expected"),
            Column("cv_shown", "cv", value="cv"),
        ],
        "caption",
        "en",
        ["a note"],
    )
    found = payload(table)
    assert found["rows"] == [["甲", 300, 0.3333333333], ["乙", None, None]]
    assert [c["unit"] for c in found["columns"]] == ["", "persons", ""]
    assert found["columns"][2] == {"name": "cv", "header": "CV", "form": "figure", "decimals": None, "unit": ""}
    assert found["shown"] == {"cv": ["0.333", "—"]}
    assert found["keys"] == {"school_id": ["S1", "S2"]}
    assert (found["caption"], found["notes"], found["schema_version"]) == ("caption", ["a note"], 1)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_the_last_bits_of_another_processor_are_no_difference():
    one, other = (
        pd.DataFrame({"cv": [value, rest]})
        for value, rest in ((0.1 + 0.2, 0.3 - 0.3), (0.3, np.nextafter(0, 1) * 5))
    )
    columns = [Column("cv", "cv", "number")]
    assert typed(one, columns, ["CV"], "en") == typed(other, columns, ["CV"], "en")


def test_a_figure_carries_what_was_drawn():
    page = sheet(4.0, 1.0, "title", "en")
    found = page.picture("alt text", FRAME)._repr_mimebundle_()[0][FIGURE_MIME]
    assert [c["name"] for c in found["columns"]] == list(FRAME)
    assert found["rows"][0][2:4] == [300, 0.3333333333]
    assert found["title"] == "title"


def test_no_two_columns_behind_a_figure_are_called_alike():
    frame = pd.DataFrame({"name_zh": ["甲"], "name_en": ["A"], "year": [2022]})
    found = sheet(4.0, 1.0, "title", "en").picture("alt", frame)._repr_mimebundle_()[0][FIGURE_MIME]
    assert [c["header"] for c in found["columns"]] == ["Indicator (name_zh)", "Indicator (name_en)", "Year"]


def test_a_reader_still_sees_the_table():
    data = {
        "text/html": "<table><tr><td>seen</td></tr></table>",
        "text/plain": "p",
        TABLE_MIME: {"rows": [["data"]]},
    }
    output = nbformat.v4.new_output("execute_result", data=data, execution_count=1)
    cell = nbformat.v4.new_code_cell("1", outputs=[output], execution_count=1)
    page, _ = HTMLExporter(template_name="basic").from_notebook_node(nbformat.v4.new_notebook(cells=[cell]))
    assert "<td>seen</td>" in page
    assert "planlib.table" not in page


@pytest.mark.full
def test_strict_nbval_compares_the_values_behind_a_table(tmp_path):
    """The printed table is the same; one digit behind it differs."""
    source = (
        "import pandas as pd\nfrom planlib import narrative\n"
        "narrative.frame(pd.DataFrame({'cv': [0.123456789]}), 'en', decimals=2)"
    )
    table = narrative.frame(pd.DataFrame({"cv": [0.123456789]}), "en", decimals=2)
    data = {"text/html": table._repr_html_(), "text/plain": repr(table), TABLE_MIME: payload(table)}
    for value, code in ((0.123456789, 0), (0.123456780, 1)):
        data[TABLE_MIME]["rows"] = [[value]]
        output = nbformat.v4.new_output("execute_result", data=data, execution_count=1)
        cell = nbformat.v4.new_code_cell(source, outputs=[output], execution_count=1)
        nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "one.ipynb")
        words = ["--nbval", "--nbval-current-env", "-q", "-p", "no:cacheprovider", "one.ipynb"]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *words], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == code, done.stdout
