"""Schools in one sheet of a workbook and not in another of the same year: what that one says of the rest is missing."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import pandas as pd

from planlib import schema
from planlib.clean import frames
from planlib.clean.issues import Issue
from planlib.clean.values.correct import Corrections
from planlib.clean.words.forms import Form

_SCHOOL = ["file", "year", "school_id"]


def missing_rows(values: pd.DataFrame, sheets: pd.DataFrame, form: Form, corrections: Corrections) -> list[Issue]:
    """Return an error for each school without a row in a sheet whose columns it should report, and nobody gives.

    Parameters
    ----------
    values : DataFrame
        Cells with stages (`planlib.clean.values.resolve.with_stages`).
    sheets : DataFrame
        A school's workbook of national forms is of one school, and its sheets need none.
    form : Form
    corrections : Corrections
        Columns that the district does not collect are not missed.
    """
    books = sheets.loc[sheets["form"] != "", "file"]
    rows = values[(values["column"] == "school_id").to_numpy() & ~values["file"].isin(books).to_numpy()]
    if rows.empty:
        return []
    rows = rows[[*_SCHOOL, "sheet", "school_type"]].assign(
        table=schema.row_numbers(rows, ["file", "sheet", "position"])
    )
    own, of_year = (rows["table"].groupby(schema.row_numbers(rows, keys)) for keys in (_SCHOOL, _SCHOOL[:2]))
    fewer = own.transform("nunique") < of_year.transform("nunique")
    suspects = frames.as_texts(rows[fewer].drop_duplicates(_SCHOOL))
    if suspects.empty:
        return []
    cells = values[["file", "sheet", "year", "school_id", "column", "stage"]]
    theirs = frames.as_texts(cells[cells["school_id"].isin(suspects["school_id"].unique())])
    given: dict[tuple[str, int], set[tuple[str, str]]] = {}
    for school, year, column, stage in theirs[["school_id", "year", "column", "stage"]].itertuples(index=False):
        given.setdefault((school, year), set()).add((column, stage))
    held = frames.as_texts(
        cells[cells["file"].isin(suspects["file"].unique())][["file", "year", "sheet", "column"]]
    )
    held = held.drop_duplicates().groupby(["file", "year", "column"])["sheet"].agg(list).to_dict()
    return [
        issue
        for row in suspects.itertuples()
        for issue in _issue(row, given[row.school_id, row.year], held, form, corrections)
    ]


def _issue(
    row: Any,
    given: Collection[tuple[str, str]],
    held: Mapping[Any, list[str]],
    form: Form,
    corrections: Corrections,
) -> Iterator[Issue]:
    """Yield an error if columns that the file has of others in that year are known nowhere of a school."""
    file, year, school, kind = row.file, row.year, row.school_id, row.school_type
    waived = corrections.not_collected
    stages = {stage for _, stage in given if stage} or form.stages(kind)
    lacking = [
        name
        for name, column in form.columns.items()
        if kind in column.school_types
        and (file, year, name) in held
        and not {(name, None), (name, year)} & waived
        and any((name, stage) not in given for stage in (stages if column.level == "stage" else ("",)))
    ]
    if lacking:
        absent = "、".join(dict.fromkeys(sheet for name in lacking for sheet in held[file, year, name]))
        expected = "its row there, with " + "、".join(form.columns[name].headers[0] for name in lacking)
        yield Issue("error", "missing row", file, sheet=absent, school=school, year=str(year), expected=expected)
