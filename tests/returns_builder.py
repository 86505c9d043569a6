"""Small districts for the tests of clean: folders, workbooks in the collection layout, with or without dirt."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import xlsxwriter

from planlib import schema
from planlib.clean.words.forms import load_form

FORM = load_form()
TYPE_WORDS = {"primary": "小学", "nine_year": "九年一贯制学校", "kindergarten": "幼儿园", "junior": "初级中学"}
STAGE_WORDS = {"preschool": "幼儿园", "primary": "小学部", "junior": "初中部"}
HEADER_ROWS = (2, 3)


def school(school_id: str = "S0001", school_type: str = "primary", **figures: Any) -> dict[str, Any]:
    """Return one school's row: keys are columns, or (stage, column) for figures by stage."""
    base = {
        "school_id": school_id,
        "school_name": f"测试学校{school_id}",
        "school_type": TYPE_WORDS[school_type],
        "ownership": "公办",
        "area": "东片",
    }
    stages = FORM.stages(school_type)
    staged = {(stage, "students"): 300 for stage in stages} | {(stage, "classes"): 10 for stage in stages}
    return {**base, **staged, **figures}


def columns_of(school_type: str) -> list[Any]:
    """Return every column a type's workbook has, in the form's order; pairs where the type has several stages."""
    stages = FORM.stages(school_type)
    columns: list[Any] = []
    for name, column in FORM.columns.items():
        if school_type in column.school_types:
            columns += [(s, name) for s in stages] if column.level == "stage" else [name]
    return columns


def grid(
    schools: Sequence[Mapping[Any, Any]],
    columns: Sequence[Any],
    title: str = "测试区2020/2021学年初小学情况一览表",
    unit_line: str = "单位：万元、平方米",
    headers: Mapping[Any, str] | None = None,
    total: Mapping[Any, Any] | None = None,
) -> tuple[list[list[Any]], list[tuple[int, int, int, int, str]]]:
    """Return the cells of a sheet (rows of values) and its merged ranges with their text."""
    named = headers or {}
    last = max(len(columns) - 1, 1)
    rows: list[list[Any]] = [[title], [None] * last + [unit_line], [None] * len(columns), [None] * len(columns)]
    merged = [(0, 0, 0, last, title)] if last > 1 else []
    is_staged = len({c[0] for c in columns if isinstance(c, tuple)}) > 1
    for place, key in enumerate(columns):
        name = key[1] if isinstance(key, tuple) else key
        text = named.get(key, FORM.columns[name].headers[0])
        if isinstance(key, tuple) and is_staged:
            rows[2][place], rows[3][place] = STAGE_WORDS[key[0]], text
        else:
            merged.append((2, place, 3, place, text))
            rows[2][place] = text
    rows += [[one.get(key, "") for key in columns] for one in schools]
    if total is not None:
        rows.append([total.get(key, "") for key in columns])
    return rows, merged


def workbook(sheets: Mapping[str, tuple[list[list[Any]], Sequence[tuple[int, int, int, int, str]]]]) -> bytes:
    """Return an .xlsx with these sheets."""
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True, "strings_to_formulas": False})
    for name, (rows, merged) in sheets.items():
        sheet = book.add_worksheet(name)
        starts = {(r0, c0) for r0, c0, _, _, _ in merged}
        for r0, c0, r1, c1, text in merged:
            sheet.merge_range(r0, c0, r1, c1, text)
        for r, row in enumerate(rows):
            for c, value in enumerate(row):
                if value not in (None, "") and (r, c) not in starts:
                    sheet.write_string(r, c, value) if isinstance(value, str) else sheet.write(r, c, value)
    book.close()
    return buffer.getvalue()


def simple_workbook(schools: Sequence[Mapping[Any, Any]], school_type: str = "primary", **more: Any) -> bytes:
    """Return a workbook of one sheet with every column of a type."""
    return workbook({"基本情况": grid(schools, columns_of(school_type), **more)})


def district(root: Path, name: str = "testdistrict") -> Path:
    """Make a district that cleans without an issue: one primary school, CSV files with their header rows."""
    folder = root / "data" / "raw" / name
    (folder / "returns").mkdir(parents=True)
    (folder / "plan.yml").write_text("schema_version: 1\n", encoding="utf-8")
    for table in schema.TABLES.values():
        if table.is_collected:
            header = ",".join(c for c in table.columns if c not in ("file", "line"))
            (folder / f"{table.name}.csv").write_text(f"{header}\n", encoding="utf-8")
    (folder / "returns" / "2020学年_小学.xlsx").write_bytes(simple_workbook([school()]))
    return folder
