"""What was wrong, where, and what was done: one list for faults, warnings and notes."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import pandas as pd

from planlib.errors import DataError, listing

# kind → (what is wrong, what to do next). A kind groups the faults of one message.
KINDS: dict[str, tuple[str, str]] = {
    "unreadable file": (
        "files that could not be read",
        "save them again as .xlsx (CSV as UTF-8), or take them out of returns/, then clean again",
    ),
    "missing file": (
        "missing files",
        "put them in the folder, or take them out of sources.yml; a CSV with nothing to report is its header row",
    ),
    "outside": ("files that lead out of the district's folder", "replace the link by the file itself"),
    "changed": ("files that changed while they were read", "wait until they are saved, then clean again"),
    "no table": (
        "workbooks without a table of schools",
        "check that a header cell names the school's code, as in definitions/forms/collection.yml",
    ),
    "school code": (
        "workbooks of national forms without a school",
        "fill in the school's code in form 111 or 1001, or add its label to definitions/forms/school.yml",
    ),
    "form": (
        "figures of national forms whose place is not clear",
        "name the row or column more closely in definitions/forms/school.yml; `planlib inspect FILE` shows what was found",
    ),
    "lost cell": (
        "cells without a usable value (an error, or a formula that was never computed)",
        "open the workbook, mend the formula, save it again",
    ),
    "title": ("titles without a clear school year", "write one school year in the title line, as 2020/2021"),
    "unknown header": (
        "unknown column headers with cells under them",
        "correct the header, or add its text to definitions/forms/collection.yml (a field, or ignored)",
    ),
    "missing header": (
        "wanted columns that were not found",
        "add the column to the workbook, or list it under not_collected in corrections.yml with a reason",
    ),
    "column twice": ("columns that stand twice in a sheet", "delete one, or name its stage above it"),
    "unit": ("units that do not fit their column", "write the unit in a bracket after the header"),
    "row without code": ("rows that are no school, total or note", "fill in the school's code, or delete the row"),
    "merged data": ("merged cells among the schools' figures", "unmerge them and fill in each cell"),
    "stray cell": ("cells outside the table", "give the column a header, or delete the cell"),
    "unreadable value": ("cells that could not be read", "correct the cell, or write it down in corrections.yml"),
    "empty value": ("empty cells that must be filled", "fill in the cell, or write it down in corrections.yml"),
    "stage": ("columns or cells whose stage is not clear", "name the stage in the header above the column"),
    "school type": (
        "schools without a school type in their workbook",
        "add the school to the sheet with its type",
    ),
    "duplicate school": ("schools that stand twice", "delete one row, or drop it in corrections.yml"),
    "contradiction": ("figures that contradict each other", "correct one, or write it down in corrections.yml"),
    "total": (
        "totals that are not the sum of their rows",
        "correct the total or the row, or write it down in corrections.yml",
    ),
    "correction": ("corrections that do not fit", "mend or remove the entry in corrections.yml"),
    "table": ("rows that do not fit their table", "mend the row"),
    "header row": ("CSV files with other columns than expected", "mend the first row of the file"),
}


@dataclass(frozen=True)
class Issue:
    """One thing that a person may want to know; `subject` is the column it is about, if any."""

    level: str
    kind: str
    file: str = ""
    sheet: str = ""
    cell: str = ""
    school: str = ""
    year: str = ""
    found: str = ""
    expected: str = ""
    done: str = ""
    subject: str = ""


def foreign_encoding(file: str, encoding: str) -> Issue:
    """Return the note that says as what a text file was read, where it is not UTF-8."""
    return Issue("note", "table", file, found=f"text in {encoding}", expected="UTF-8", done=f"read as {encoding}")


COLUMNS = tuple(Issue.__dataclass_fields__)


class FaultyData(DataError):
    """The raw files have faults: the message shows ten of each kind, `issues` holds all of them."""

    def __init__(self, message: str, issues: pd.DataFrame) -> None:
        super().__init__(message)
        self.issues = issues


def frame(issues: Iterable[Issue]) -> pd.DataFrame:
    """Return issues as a frame, in the order given."""
    return pd.DataFrame([asdict(issue) for issue in issues], columns=list(COLUMNS)).astype("str")


def refuse_faults(issues: pd.DataFrame, district: str) -> None:
    """Raise if any issue is an error.

    Parameters
    ----------
    issues : DataFrame
        With the columns of `COLUMNS`.
    district : str
        Named in the message.

    Raises
    ------
    FaultyData
        All faults, grouped by kind, ten of each kind shown and the rest counted.
    """
    faults = issues[issues["level"] == "error"]
    if faults.empty:
        return
    groups = [_listed(kind, rows) for kind, rows in faults.groupby("kind", sort=False)]
    counted = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    head = f"The raw files of {district} have {counted}; no table was written.\n"
    raise FaultyData(head + "\n".join(groups), issues)


def _listed(kind: object, rows: pd.DataFrame) -> str:
    title, hint = KINDS[str(kind)]
    return listing(title, [sentence(row) for row in rows.to_dict("records")], hint)


def sentence(issue: dict[str, str]) -> str:
    """Say an issue in one line: where, what was found, what was expected.

    Examples
    --------
    >>> issue = asdict(Issue("error", "total", "returns/a.xlsx", "教师", "D9", found="10", expected="11"))
    >>> sentence(issue)
    'returns/a.xlsx, sheet 教师, cell D9: found 10; expected 11'
    """
    names: Sequence[tuple[str, str]] = (
        ("sheet", "sheet "),
        ("cell", "cell "),
        ("school", "school "),
        ("year", ""),
    )
    where = [issue["file"], *(f"{words}{issue[key]}" for key, words in names if issue[key])]
    where = [text.removeprefix("cell ") if text.startswith("cell line ") else text for text in where]
    said = f"found {issue['found']}" if issue["found"] else "nothing found"
    expected = f"; expected {issue['expected']}" if issue["expected"] else ""
    return f"{', '.join(filter(None, where))}: {said}{expected}"
