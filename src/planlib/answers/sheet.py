"""Write the sheet of what is owed: one row a thing, white cells to fill in."""

from io import BytesIO
from pathlib import Path
from typing import Any

import xlsxwriter

from planlib import store
from planlib.clean.files.confined import read_workbook
from planlib.columns import write_date
from planlib.district import Evaluation, open_district
from planlib.errors import DataError, UsageError
from planlib.params import NOTEBOOKS, Parameters
from planlib.registry import codes, label, load_definitions

SCHEMA_VERSION = 1
FACTS = ("schema_version", "district", "report", "year", "cutoff", "language")
HIDDEN = "planlib"
FIRST_ROW = 3
"""The row of the headers, from 0: title, instructions and notice stand above."""

CHOICES = {"cause_kind": "cause_kind", "standing": "observation_status"}
SHOWN = ("office", "kind", "item", "status", "need")


def write_missing(name: str, parameters: Parameters, target: Path) -> Any:
    """Write what the report `name` still asks of people as a workbook to be filled in.

    Parameters
    ----------
    name : str
        One of `planlib.params.REPORTS`.
    parameters : Parameters
    target : Path
        An ``.xlsx`` in a folder that exists. Only an untouched sheet about the same report is replaced.

    Returns
    -------
    DataFrame
        The rows, as `planlib.district.Evaluation.owed`.

    Raises
    ------
    UsageError
        A name that cannot be written, or a file that holds answers or is no such sheet; nothing was written.
    """
    facts = dict(zip(FACTS, (SCHEMA_VERSION, name, name, 0, "", ""), strict=True))
    facts |= {"district": parameters.district, "report": NOTEBOOKS[name].phase, "year": parameters.year}
    facts |= {"cutoff": parameters.cutoff.isoformat(), "language": parameters.language}
    _refuse(target, facts)
    place = open_district(parameters.district, parameters.cutoff)
    evaluation = Evaluation(place, NOTEBOOKS[name].phase, parameters.year)
    content = BytesIO()
    plain_text = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(content, plain_text) as book:
        _Sheet(book, evaluation, parameters.language).write()
        hidden = book.add_worksheet(HIDDEN)
        for row, (key, value) in enumerate(facts.items()):
            hidden.write_string(row, 0, key)
            hidden.write_string(row, 1, str(value))
        hidden.very_hidden()
    try:
        store.write_atomic(target, content.getvalue())
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}.\nTo do: give another name.") from None
    return evaluation.owed


def _refuse(target: Path, facts: dict[str, Any]) -> None:
    """Refuse a name that is no workbook to write, and a file that somebody would miss."""
    if target.is_dir():
        raise UsageError(
            f"{target} is a folder; expected a file.\nTo do: give a name such as {target / 'owed.xlsx'}"
        )
    if target.suffix.lower() != ".xlsx":
        raise UsageError(f"{target}: expected a name that ends in .xlsx.\nTo do: call it {target.stem}.xlsx")
    if not target.parent.is_dir():
        raise UsageError(
            f"{target}: there is no folder {target.parent}.\nTo do: make it, or name one that exists."
        )
    if target.exists() and (fault := _not_ours(target, facts)):
        raise UsageError(
            f"{target} exists and {fault}; nothing was written.\n"
            "To do: read it back with planlib fill if it holds answers, or give another name."
        )


def _not_ours(target: Path, facts: dict[str, Any]) -> str:
    """Say why a file must be kept; nothing of an untouched sheet about the same report."""
    try:
        sheets = {sheet.name: sheet.rows for sheet in read_workbook(target.read_bytes())}
    except (DataError, OSError):
        return "is no sheet of planlib"
    told = {str(row[0]): str(row[1]) for row in sheets.pop(HIDDEN, []) if len(row) > 1}
    if not set(FACTS) <= set(told) or len(sheets) != 1:
        return "is no sheet of planlib"
    if any(told[key] != str(facts[key]) for key in ("district", "report", "year", "cutoff")):
        return f"is about {told['district']}, {told['report']} {told['year']} as of {told['cutoff']}"
    (rows,) = sheets.values()
    # a row's own words end where the cells to fill in begin
    answers = [cell for row in rows[FIRST_ROW + 1 :] for cell in row[1 + len(SHOWN) :]]
    return "holds answers" if any(str(cell).strip() for cell in answers if cell is not None) else ""


class _Sheet:
    """The visible sheet being written."""

    def __init__(self, book: Any, evaluation: Evaluation, language: str):
        self.book, self.evaluation, self.language = book, evaluation, language
        self.words = load_definitions("answers")
        self.fills = [key for key in self.words["columns"] if key not in SHOWN]
        self.choices = {
            key: [label(code, language, group) for code in codes(group)] for key, group in CHOICES.items()
        }
        self.page = book.add_worksheet(self.words["sheet"][language])
        self.plain = book.add_format({"text_wrap": True, "valign": "top", "bg_color": "#F0F0F0", "border": 1})
        self.white = book.add_format(
            {"text_wrap": True, "valign": "top", "locked": False, "border": 1, "num_format": "@"}
        )
        self.head = book.add_format({"bold": True, "text_wrap": True, "bg_color": "#D9E2EC", "border": 1})

    def write(self) -> None:
        self._top()
        for column, key in enumerate((*SHOWN, *self.fills), 1):
            words = f"\n{' / '.join(self.choices[key])}" if key in self.choices else ""
            self.page.write_string(FIRST_ROW, column, self.words["columns"][key][self.language] + words, self.head)
        rows = self.evaluation.owed.to_dict("records")
        for number, row in enumerate(rows, FIRST_ROW + 1):
            self._row(number, row)
        self._choices(FIRST_ROW + 1, FIRST_ROW + max(len(rows), 1))
        self.page.set_row(FIRST_ROW, 64)
        self.page.set_column(0, 0, None, None, {"hidden": True})
        for column, width in enumerate((16, 9, 30, 12, 7, 34, 19, 34, 12, 10, 12, 15, 26, 16, 10, 10), 1):
            self.page.set_column(column, column, width)
        self.page.freeze_panes(FIRST_ROW + 1, 4)
        self.page.autofilter(FIRST_ROW, 1, FIRST_ROW + max(len(rows), 1), len(SHOWN) + len(self.fills))
        self.page.set_landscape()
        self.page.set_paper(9)
        self.page.fit_to_pages(1, 0)
        self.page.repeat_rows(FIRST_ROW)
        self.page.protect("", {"autofilter": True, "format_columns": True, "format_rows": True, "sort": True})

    def _top(self) -> None:
        """Write title, instructions and the notice of simulated data."""
        told, language = self.evaluation, self.language
        values = {
            "plan": told.plan.title[language],
            "report": label(told.phase, language, "report"),
            "year": told.year,
            "date": write_date(told.owed_by, language),
            "district": told.district.name,
        }
        title = self.book.add_format({"bold": True, "font_size": 14})
        wrap = self.book.add_format({"text_wrap": True, "valign": "top"})
        self.page.write_string(0, 1, self.words["title"][language].format(**values), title)
        self.page.merge_range(1, 1, 1, 9, "", wrap)
        self.page.write_string(1, 1, self.words["how"][language].format(**values), wrap)
        self.page.set_row(1, 64)
        if told.is_simulated:
            self.page.write_string(2, 1, self.words["simulated"][language], title)

    def _row(self, number: int, row: dict[str, Any]) -> None:
        kind, language = self.words["kinds"][row["kind"]], self.language
        is_series = row["subject_id"] in set(self.evaluation.plan.series["series_id"])
        shown = (
            row["lead" if language == "zh" else "lead_en"],
            kind["name"][language],
            row[f"name_{language}"],
            label(row["status"], language, "status" if is_series else "commitment_status"),
            self.words["compulsory" if row["is_compulsory"] else "optional"][language],
        )
        # the id finds the row again, wherever it was sorted to
        self.page.write_string(number, 0, f"{row['kind']}:{row['subject_id']}")
        for column, text in enumerate(shown, 1):
            self.page.write_string(number, column, text, self.plain)
        for column, key in enumerate(self.fills, len(SHOWN) + 1):
            self.page.write_blank(number, column, None, self.white if key in kind["fill"] else self.plain)

    def _choices(self, first: int, last: int) -> None:
        """Offer the words there are to choose from."""
        offices = [o for o in dict.fromkeys(self.evaluation.responsibility["lead"]) if o]
        for key, words in {**self.choices, "lead": offices}.items():
            # Excel takes lists of at most 255 characters
            if words and len(",".join(words)) <= 255:
                column = len(SHOWN) + 1 + self.fills.index(key)
                rule = {"validate": "list", "source": words, "error_type": "warning"}
                self.page.data_validation(first, column, last, column, rule)
