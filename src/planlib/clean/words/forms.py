"""What a sheet's texts mean: ``definitions/forms/*.yml`` read, checked and ready for look-ups.

No Chinese text stands in code: headers, units, codes and the words of total and notes rows come from here.
"""

import functools
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from planlib import schema
from planlib.clean.words.writing import compact, key
from planlib.errors import RegistryError, listing
from planlib.paths import DEFINITIONS
from planlib.registry.documents import read_document

Made = TypeVar("Made")

_BRACKET = re.compile(r"^(.+)\(([^()]*)\)$")
_LEVELS = {"school", "stage"}
_TYPES = {"text", "code", "boolean", "count", "quantity", "year"}
_BLANKS = {"zero", "empty", "missing", "error"}
_CAMPUSES = {"sum", "same", "least", "list"}


@dataclass(frozen=True)
class Unit:
    """A unit as written (``万元``), what it measures (``yuan``), and how many of that it is (10 000)."""

    text: str
    measures: str
    factor: float


@dataclass(frozen=True)
class Column:
    """A column a sheet may have: its texts, and how its cells are read; numbers lie from `low` to `high`.

    `campuses` says what becomes of the figures of several campuses: ``sum``, ``same``, ``least`` or ``list``.
    """

    name: str
    headers: tuple[str, ...]
    level: str
    type: str
    blank: str
    unit: Unit
    codes: Mapping[str, Any]
    school_types: frozenset[str]
    low: float
    high: float
    campuses: str


@dataclass(frozen=True)
class Form:
    """A layout of sheets: which header text is which column, and the words around the table."""

    name: str
    columns: Mapping[str, Column]
    by_header: Mapping[str, str]
    stage_headers: Mapping[str, str]
    stages_of_type: Mapping[str, tuple[str, ...]]
    units: Mapping[str, Unit]
    unit_line: re.Pattern[str]
    unit_like: re.Pattern[str]
    unit_remarks: tuple[str, ...]
    no_units: frozenset[str]
    other_figures: tuple[str, ...]
    ignored: frozenset[str]
    kept: frozenset[str]
    row_stages: frozenset[str]
    total_rows: tuple[str, ...]
    notes_rows: tuple[str, ...]
    not_applicable: frozenset[str]
    titles: tuple[re.Pattern[str], ...]
    bare_years: tuple[re.Pattern[str], ...]
    name_years: tuple[re.Pattern[str], ...]
    prefixes: tuple[str, ...]
    campus_names: tuple[re.Pattern[str], ...]
    as_of: str

    def split(self, header: Any) -> tuple[str, str]:
        """Return a header's comparable text and the remark in its trailing bracket (``""`` if none)."""
        name, bracket = split_header(key(str(header)), self.prefixes)
        before, _, unit = name.rpartition("/")
        if not bracket and before and unit in self.units:  # as people write too
            return before, unit
        line = self.unit_line.fullmatch(bracket) if bracket else None
        return name, line[1] if line else bracket

    def column_of(self, header: Any) -> str:
        """Return the column that a header text names, or ``""``."""
        return self.by_header.get(self.split(header)[0], "")

    def stages(self, school_type: str) -> tuple[str, ...]:
        """Return the stages a type of school may have."""
        return self.stages_of_type.get(school_type, ())


def strange_units(text: str, form: Form) -> list[str]:
    """Return the words of a unit line that look like units and are none that is known.

    Examples
    --------
    >>> strange_units("单位：平方米、百元", load_form()), strange_units("填报单位：万元小学", load_form())
    (['100元'], [])
    """
    lines = form.unit_line.findall(key(text))
    return [word for line in lines for word in words_of(line) if is_strange(word, form)]


def stated_units(texts: Iterable[str], form: Form) -> dict[str, list[Unit]]:
    """Return the units that the lines above a header state, by what they measure.

    Examples
    --------
    >>> {name: units[0].text for name, units in stated_units(["单位：亩、万元"], load_form()).items()}
    {'m2': '亩', 'yuan': '万元'}
    """
    found: dict[str, list[Unit]] = {}
    for word in (word for text in texts for word in words_of(key(text))):
        unit = form.units.get(word)
        if unit and unit not in found.setdefault(unit.measures, []):
            found[unit.measures].append(unit)
    return found


def is_strange(word: str, form: Form) -> bool:
    """Tell whether a comparable word looks like a unit and is none that is known."""
    return word not in form.units and bool(form.unit_like.search(word))


def is_remark(bracket: str, header: str, column: Column, form: Form) -> bool:
    """Tell whether a bracket is a mere remark: it belongs to a known header, or is nothing like a unit.

    Of a quantity it must have a word of a remark: a unit that nobody knows is refused.
    """
    known = {key(text) for text in column.headers}
    return header in known or is_no_unit(bracket, column.type == "quantity", form)


def is_no_unit(bracket: str, is_quantity: bool, form: Form) -> bool:
    """Tell whether a bracket is nothing like a unit; that of a quantity must have a word of a remark.

    Examples
    --------
    >>> is_no_unit("户籍", False, load_form()), is_no_unit("万人", False, load_form())
    (True, False)
    """
    if form.unit_like.search(bracket) or any(text in bracket for text in form.units):
        return False
    return not is_quantity or any(word in bracket for word in form.unit_remarks)


def is_another(header: str, column: Column, form: Form) -> bool:
    """Tell whether the bracket of a column's header makes another figure of it.

    Examples
    --------
    >>> form = load_form()
    >>> students = form.columns["students"]
    >>> is_another("在校生数（女）", students, form), is_another("在校生数（含借读生）", students, form)
    (True, False)
    """
    name, bracket = form.split(header)
    is_known = not bracket or bracket in form.units or key(header) in {key(text) for text in column.headers}
    if is_known or column.type not in ("count", "quantity"):
        return False
    return is_other_figure(name, bracket, column.type == "count", form)


def is_other_figure(name: str, bracket: str, is_count: bool, form: Form) -> bool:
    """Tell whether a bracket behind the comparable name of a figure makes another one of it.

    Examples
    --------
    >>> is_other_figure("出生人数", "女", True, load_form()), is_other_figure("户籍出生人数", "户籍", True, load_form())
    (True, False)
    """
    if form.unit_like.search(bracket):
        return False
    is_remark = bracket in name or any(word in bracket for word in (*form.unit_remarks, *form.units))
    return says_other(bracket, form) or (is_count and not is_remark)


def says_other(text: str, form: Form) -> bool:
    """Tell whether a comparable text is of a part or of another time: 女, 上学年."""
    return not text.startswith(form.unit_remarks) and any(word in text for word in form.other_figures)


def words_of(text: str) -> list[str]:
    """Return the words of a comparable text.

    Examples
    --------
    >>> words_of("单位:人、m2")
    ['单位', '人', 'm2']
    """
    return "".join(c if c.isalnum() else " " for c in text).split()


def split_header(text: str, prefixes: Iterable[str]) -> tuple[str, str]:
    """Return (text without prefix and trailing bracket, what stood in the bracket).

    Examples
    --------
    >>> split_header("其中:体育馆面积(平方米)", ["其中:"])
    ('体育馆面积', '平方米')
    """
    found = _BRACKET.match(text) if text.endswith(")") else None
    name, bracket = (found[1], found[2]) if found else (text, "")
    if not name.startswith(tuple(prefixes)):  # as most texts
        return name, bracket
    for prefix in sorted(prefixes, key=len, reverse=True):
        if name.startswith(prefix) and name != prefix:
            return name[len(prefix) :], bracket
    return name, bracket


@functools.lru_cache(maxsize=8)
def load_form(path: Path = DEFINITIONS / "forms" / "collection.yml") -> Form:
    """Read a form's definition.

    Raises
    ------
    RegistryError
        If the file cannot be read, a key is absent, a column is unknown to ``fields.yml``, a header text names two
        columns, or a unit does not measure what its column holds. All faults at once.
    """
    return read_definition(path, _form_faults, _built)


def read_definition(
    path: Path, faults_of: Callable[[Mapping[str, Any]], Iterable[str]], built: Callable[[Mapping[str, Any]], Made]
) -> Made:
    """Return what `built` makes of a file of ``definitions/forms``, or refuse the file with every fault at once."""
    document = read_document(path, f"definitions/forms/{path.name}")
    document.raise_faults()
    try:
        faults = list(faults_of(document.data))
        made = None if faults else built(document.data)
    except (KeyError, TypeError, AttributeError, re.error) as error:
        raise RegistryError(f"{path} lacks what the forms need: {error!r}.\nTo do: mend the file.") from error
    if made is None:
        raise RegistryError(listing(f"wrong entries in {path}", faults, "mend the file"))
    return made


def _form_faults(entries: Mapping[str, Any]) -> list[str]:
    known, units = schema.fields(), entries["units"]
    faults: list[str] = []
    owners: dict[str, str] = {}
    for name, entry in entries["fields"].items():
        if name not in known:
            faults.append(f"{name}: not a column of fields.yml")
            continue
        wrong = entry["level"] not in _LEVELS or entry["type"] not in _TYPES or entry["blank"] not in _BLANKS
        wrong = wrong or entry.get("campuses", "same") not in _CAMPUSES
        faults += [f"{name}: unknown level, type, blank rule or rule of campuses"] if wrong else []
        unit = entry.get("unit")
        if unit is not None and (unit not in units or measured(name) not in units[unit]):
            faults.append(f"{name}: unit {unit} is not one of `units` for {measured(name)}")
        for header in entry["headers"]:
            text = split_header(key(header), entries["header_rules"]["strip_prefixes"])[0]
            if owners.setdefault(text, name) != name:
                faults.append(f"{name}: header {header} names {owners[text]} already")
    return faults


def measured(column: str) -> str:
    """Return what a column counts or measures, in the words of a form's units: ``m2``, ``yuan`` or ``count``."""
    unit = schema.fields()[column].unit
    return unit if unit in ("m2", "yuan") else "count"


def _built(entries: Mapping[str, Any]) -> Form:
    prefixes = tuple(key(p) for p in entries["header_rules"]["strip_prefixes"])
    units = {key(t): Unit(compact(t), *next(iter(m.items()))) for t, m in entries["units"].items()}
    columns = {name: _column(name, entry, entries, units) for name, entry in entries["fields"].items()}
    by_header = {split_header(key(h), prefixes)[0]: c.name for c in columns.values() for h in c.headers}
    return Form(
        name=entries["form"],
        columns=columns,
        by_header=by_header,
        stage_headers={key(text): stage for text, stage in entries["stage_headers"].items()},
        stages_of_type={name: tuple(stages) for name, stages in entries["stages_of_type"].items()},
        units=units,
        unit_line=re.compile(entries["unit_line"]),
        unit_like=re.compile(entries["unit_like"]),
        unit_remarks=tuple(key(text) for text in entries["unit_remarks"]),
        no_units=frozenset(key(text) for text in (*entries["unit_words"], *entries["not_applicable"])),
        other_figures=tuple(key(text) for text in entries["other_figures"]),
        ignored=frozenset(_own_text(key(t), prefixes, by_header) for t in entries["ignored"]),
        kept=frozenset(split_header(key(t), prefixes)[0] for t in entries["kept"]),
        row_stages=frozenset(split_header(key(t), prefixes)[0] for t in entries["row_stages"]),
        total_rows=tuple(key(t) for t in entries["total_rows"]),
        notes_rows=tuple(key(t) for t in entries["notes_rows"]),
        not_applicable=frozenset(compact(t) for t in entries["not_applicable"]),
        titles=tuple(re.compile(p) for p in entries["year"]["title_patterns"]),
        bare_years=tuple(re.compile(p) for p in entries["year"]["bare_patterns"]),
        name_years=tuple(re.compile(p) for p in entries["year"]["name_patterns"]),
        prefixes=prefixes,
        campus_names=tuple(re.compile(p) for p in entries["campus_patterns"]),
        as_of=f"{entries['as_of']['month']:02d}-{entries['as_of']['day']:02d}",
    )


def _own_text(text: str, prefixes: Iterable[str], by_header: Mapping[str, str]) -> str:
    """Return a header without its bracket, unless that alone tells it from the header of a field."""
    short = split_header(text, prefixes)[0]
    return text if short in by_header else short


def _column(name: str, entry: Mapping[str, Any], entries: Mapping[str, Any], units: Mapping[str, Unit]) -> Column:
    named = "is" if entry["type"] == "boolean" else entry.get("values", "")
    field = schema.fields()[name]
    codes = entries["types"] if named == "types" else entries["values"].get(named, {})
    return Column(
        name=name,
        headers=tuple(entry["headers"]),
        level=entry["level"],
        type=entry["type"],
        blank=entry["blank"],
        unit=units[key(entry["unit"])] if "unit" in entry else Unit("", measured(name), 1.0),
        codes={compact(text): value for text, value in codes.items()},
        school_types=frozenset(entry.get("school_types", entries["stages_of_type"])),
        low=-math.inf if field.minimum is None else field.minimum,
        high=math.inf if field.maximum is None else field.maximum,
        campuses=entry.get("campuses", "sum" if entry["type"] in ("count", "quantity") else "same"),
    )
