"""What a report is handed in as: every format from one executed notebook, in equal bytes, with text as text."""

import datetime as dt
import json
import zipfile

import nbformat
import pandas as pd
import pytest
from python_calamine import CalamineWorkbook

from planlib import narrative
from planlib.columns import TABLE_MIME, Column
from planlib.errors import UsageError
from planlib.run.annex import sheet_name, write_annex
from planlib.run.formats import chosen_formats, write_formats

MANIFEST = {
    "parameters": {"district": "shangcheng", "year": 2023, "cutoff": "2022-12-31", "language": "zh"},
    "is_simulated": True,
}
FRAME = pd.DataFrame(
    {
        "school_id": ["S1", "S2", "S3"],
        "school_name": ["=cmd|' /C calc'!A0", "@SUM(1)", "-1+1"],
        "students": [1234, 5, None],
        "share": [0.4213, 1.0, None],
        "opened": ["2021-09-01", "2022-09-01", ""],
        "value": [3.133, 42.5, 2911000000.0],
        "value_shown": ["3.13万人", ">42.5%", "29.11亿元"],
        "unit": ["ten_thousand_persons", "percent", "yuan"],
    }
)
COLUMNS = [
    Column("school_name", "school"),
    Column("students", "students_expected", "number", 0),
    Column("share", "progress", "percent"),
    Column("opened", "opened", "iso"),
    Column("value_shown", "value", "figure", value="value"),
]


def notebook_of(*shown, language="zh"):
    """Return an executed notebook that shows these tables and figures, each under a heading of its own."""
    cells = [nbformat.v4.new_markdown_cell("<!-- zh -->\n# 题名\n<!-- en -->\n# Title")]
    for number, thing in enumerate(shown, 1):
        bundle = thing._repr_mimebundle_()
        data, about = bundle if isinstance(bundle, tuple) else (bundle, {})
        if hasattr(thing, "_repr_html_"):
            data = {**data, "text/html": thing._repr_html_(), "text/plain": repr(thing)}
        output = nbformat.v4.new_output("execute_result", data=data, metadata=about, execution_count=number)
        cells.append(
            nbformat.v4.new_markdown_cell(f"<!-- zh -->\n## 第{number}章\n<!-- en -->\n## Chapter {number}")
        )
        cells.append(nbformat.v4.new_code_cell("1", outputs=[output], execution_count=number))
    return nbformat.v4.new_notebook(cells=cells)


def table(language="zh", frame=FRAME):
    return narrative.Table(frame, COLUMNS, "学校/情况: 表", language, ["=1+1 is a note"])


@pytest.fixture
def annex(tmp_path):
    target = tmp_path / "annex.xlsx"
    facts = {"title": "题名", "notice": "模拟数据：& 说明", "来源": "甲\n乙"}
    write_annex(notebook_of(table(), table()), target, "zh", facts, dt.date(2022, 12, 31))
    return target


def test_the_annex_has_typed_values_equal_to_the_frame(annex):
    rows = CalamineWorkbook.from_path(str(annex)).get_sheet_by_index(1).to_python(skip_empty_area=False)
    assert rows[0][0] == "学校/情况: 表"
    assert rows[1][0].startswith("模拟数据")
    assert rows[3] == ["学校", "预计在校生（人）", "进度", "开学", "现值", "学校标识码", "单位"]
    assert rows[4] == [FRAME["school_name"][0], 1234, 0.4213, dt.date(2021, 9, 1), 3.133, "S1", "万人"]
    assert rows[6] == ["-1+1", "", "", "", 2911000000, "S3", "元"]
    assert rows[8][0] == "=1+1 is a note"


def test_the_annex_has_no_formula_and_no_link_to_the_outside(annex):
    with zipfile.ZipFile(annex) as book:
        parts = {name: book.read(name).decode("utf-8", "replace") for name in book.namelist()}
    assert not [name for name, text in parts.items() if "<f>" in text or "<f " in text]
    assert not [name for name, text in parts.items() if 'TargetMode="External"' in text]
    sheets = [text for name, text in parts.items() if name.startswith("xl/worksheets/sheet")]
    assert all("模拟数据：&amp;&amp; 说明" in text for text in sheets)
    assert all('state="frozen"' in text for text in sheets[1:])
    styles = parts["xl/styles.xml"]
    assert "0.00&quot;万人&quot;" in styles
    assert "&quot;&gt;&quot;0.0&quot;%&quot;" in styles
    assert "#,##0&quot;元&quot;" in styles


def test_sheets_are_listed_with_legal_names_of_their_own(annex):
    book = CalamineWorkbook.from_path(str(annex))
    assert book.sheet_names == ["目录", "表1 学校 情况 表", "表2 学校 情况 表"]
    front = book.get_sheet_by_index(0).to_python()
    assert ["来源", "甲", "", ""] in front
    assert ["表2 学校 情况 表", "学校/情况: 表", "第2章", 3] in front
    taken = set()
    names = [sheet_name("x" * 40, taken) for _ in range(12)]
    assert len({n.casefold() for n in names}) == 12
    assert all(len(n) <= 31 for n in names)


def test_equal_notebooks_give_equal_bytes_in_every_format(tmp_path):
    notebook, formats = notebook_of(table()), chosen_formats("midterm")
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        files = write_formats(notebook, tmp_path / name, "report", MANIFEST, formats)
        made.append({file.suffix: file.read_bytes() for file in files})
    assert set(made[0]) == {f".{form}" for form in formats}
    assert made[0] == made[1]


def test_formats_are_asked_for_by_name():
    with pytest.raises(UsageError, match=r"found docs; expected one or more of html"):
        chosen_formats("midterm", "docs")
    with pytest.raises(UsageError, match="formats: found none"):
        chosen_formats("midterm", ",")


def test_the_payload_of_a_notebook_read_back_is_the_tables(tmp_path):
    notebook = notebook_of(table())
    nbformat.write(notebook, tmp_path / "n.ipynb")
    stored = json.loads((tmp_path / "n.ipynb").read_text(encoding="utf-8"))
    assert stored["cells"][2]["outputs"][0]["data"][TABLE_MIME]["rows"][0][1] == 1234
