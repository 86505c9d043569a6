"""Read a filled sheet back into the district's files: everything checked first, nothing written over."""

import math
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from planlib import paths
from planlib.answers.sheet import CHOICES, FACTS, FIRST_ROW, HIDDEN, SCHEMA_VERSION, SHOWN
from planlib.answers.write import Files
from planlib.clean.files.confined import read_workbook
from planlib.clean.files.sheet import Sheet, address
from planlib.clean.words.writing import figure
from planlib.errors import DataError, UsageError, listing
from planlib.registry import LANGUAGES, Plan, codes, label, load_definitions, load_plan
from planlib.registry.shape import is_date

_FORMULA = re.compile(rb'<c r="([A-Z]+\d+)"[^>]*>\s*<f[\s/>]')
_DAY = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})")
_DATES = ("deadline", "date")


@dataclass(frozen=True)
class Answer:
    """One filled row: what it answers, what was written, and where each cell stands for a message."""

    kind: str
    subject: str
    values: Mapping[str, Any]
    places: Mapping[str, str]

    @property
    def place(self) -> str:
        """Where the row stands: its date, or else its first filled cell."""
        return self.places.get("date", next(iter(self.places.values())))


def fill(district: str, file: Path) -> list[str]:
    """Read a filled sheet into ``explanations.yml``, ``milestones.csv``, ``observations.csv``, ``responsibility.yml``.

    Rows nobody filled in change nothing; what stands in the files already is left as it is. Formulas are refused,
    never computed.

    Parameters
    ----------
    district : str
    file : Path
        A workbook that `write_missing` wrote and people filled in.

    Returns
    -------
    list of str
        What was added to which file.

    Raises
    ------
    UsageError
        No such district or file.
    DataError
        Not such a sheet, or faults in it: all at once, with sheet and cell; nothing was written.
    """
    plan = load_plan(district)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.\nTo do: check the name of the file.") from None
    sheets = read_workbook(content)
    facts = _facts(file, sheets, district)
    page = next(sheet for sheet in sheets if sheet.name != HIDDEN)
    formulas = _formulas(content)
    faults = [
        f"{_place(page.name, cell)}: a formula; expected its text: copy and paste it as values"
        for cell in formulas
    ]
    answers = _answers(page, plan, set(formulas), faults)
    files = Files(plan, paths.raw(district), facts)
    for answer in answers:
        faults += [f"{answer.place}: {fault}" for fault in files.add(answer)]
    if faults:
        raise DataError(
            listing(f"{file.name} was not read in, nothing was written", faults, "mend these cells", 40)
        )
    return files.save()


def _facts(file: Path, sheets: list[Sheet], district: str) -> dict[str, str]:
    """Return what the hidden sheet says: which report of which district was asked about."""
    hidden = next((sheet for sheet in sheets if sheet.name == HIDDEN), None)
    pairs = [[str(cell) for cell in row[:2]] for row in hidden.rows] if hidden else []
    facts = {row[0]: row[1] for row in pairs if len(row) == 2}
    year = facts.get("year", "")
    is_ours = set(FACTS) <= set(facts) and facts["schema_version"] == str(SCHEMA_VERSION) and len(sheets) > 1
    if (
        not is_ours
        or not year.isdecimal()
        or not is_date(facts["cutoff"])
        or facts["report"] not in codes("report")
    ):
        raise DataError(
            f"{file} is no sheet of what is owed.\n"
            "To do: planlib report midterm --missing FILE.xlsx writes one; fill that one in and keep its sheets."
        )
    if facts["district"] != district:
        raise DataError(
            f"{file} is about {facts['district']!r}, expected {district!r}.\nTo do: name the district it was made for."
        )
    return facts


def _place(sheet: str, cell: str) -> str:
    return f"sheet {sheet}, cell {cell}"


def _formulas(content: bytes) -> list[str]:
    """Return the cells that hold formulas; the reader of workbooks would give their last results."""
    with zipfile.ZipFile(BytesIO(content)) as parts:
        names = [name for name in parts.namelist() if name.startswith("xl/worksheets/")]
        return [cell.decode() for name in names for cell in _FORMULA.findall(parts.read(name))]


def _answers(page: Sheet, plan: Plan, formulas: set[str], faults: list[str]) -> list[Answer]:
    """Return the rows that somebody filled in without formulas, and note every fault of their cells."""
    words = load_definitions("answers")
    fills = [key for key in words["columns"] if key not in SHOWN]
    known = {*plan.series["series_id"], *plan.commitments["commitment_id"]}
    found: dict[tuple[str, str], Answer] = {}
    for number, row in enumerate(page.rows[FIRST_ROW + 1 :], FIRST_ROW + 1):
        cells = {key: at for at, key in enumerate(fills, 1 + len(SHOWN)) if at < len(row) and _text(row[at])}
        if not cells:
            continue
        places = {key: _place(page.name, address(number, at)) for key, at in cells.items()}
        kind, _, subject = _text(row[0]).partition(":")
        if kind not in words["kinds"] or subject not in known or (kind, subject) in found:
            why = "stands twice" if (kind, subject) in found else "is no id of this sheet"
            faults.append(f"{_place(page.name, address(number, 0))} (hidden): {_text(row[0])!r:.60} {why}")
            continue
        texts = {key: at for key, at in cells.items() if address(number, at) not in formulas}
        values = {key: _value(key, row[at], places[key], faults) for key, at in texts.items()}
        faults += _row_faults(words["kinds"][kind], places, f"sheet {page.name}, row {number + 1}", words)
        found[kind, subject] = Answer(kind, subject, values, places)
    return [answer for answer in found.values() if answer.values.keys() == answer.places.keys()]


def _row_faults(
    kind: Mapping[str, Any], places: Mapping[str, str], row: str, words: Mapping[str, Any]
) -> list[str]:
    name = {key: f"{entry['zh']} ({entry['en']})" for key, entry in words["columns"].items()}
    faults = [
        f"{places[key]}: {name[key]} is not asked for here; leave it empty"
        for key in places
        if key not in kind["fill"]
    ]
    lacking = [name[key] for key in kind["must"] if key not in places]
    return faults + ([f"{row}: filled in only in part; expected {', '.join(lacking)} too"] if lacking else [])


def _text(cell: Any) -> str:
    """Return a cell as one line of text: whole numbers without a point, days as 2023-03-31."""
    if isinstance(cell, float) and cell == round(cell):
        return str(int(cell))
    if hasattr(cell, "isoformat"):
        return str(cell.isoformat())[:10]
    return "" if cell is None else " ".join(str(cell).split())


def _value(key: str, cell: Any, place: str, faults: list[str]) -> Any:
    """Return the value of a filled cell; note what is no date, no number, no known word."""
    text = _text(cell)
    if key in _DATES:
        day = _DAY.fullmatch(text)
        iso = "{}-{:0>2}-{:0>2}".format(*day.groups()) if day else text
        if not is_date(iso):
            faults.append(f"{place}: found {text!r:.40}; expected a date such as 2023-03-31")
        return iso
    if key == "number":
        found = figure(cell if isinstance(cell, str) else text)
        if found and not found.relation and not found.word and math.isfinite(number := float(found.digits)):
            return number
        faults.append(f"{place}: found {text!r:.40}; expected a number in digits, without a unit")
    elif key in CHOICES:
        group = CHOICES[key]
        said = {label(code, language, group): code for code in codes(group) for language in LANGUAGES}
        if text not in said:
            pairs = [" / ".join(label(code, language, group) for language in LANGUAGES) for code in codes(group)]
            faults.append(f"{place}: found {text!r:.40}; expected one of these words: {', '.join(pairs)}")
        return said.get(text, text)
    elif not text.isprintable():
        faults.append(f"{place}: there is a control character in the text; delete it")
    return text
