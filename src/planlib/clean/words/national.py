"""The national forms of a school's workbook: ``definitions/forms/school.yml`` read, checked and ready for look-ups."""

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planlib.clean.words.forms import Column, Form, load_form, read_definition, split_header
from planlib.clean.words.writing import compact, key
from planlib.paths import DEFINITIONS

_FIELD_KEYS = {"row", "column", "add", "parts", "stage", "single", "is_positive", "unit"}
Way = tuple[str, ...]
"""The comparable texts from the first label to the last."""


@dataclass(frozen=True, eq=False)
class Place:
    """Where a column's figure stands in a form: synonyms of its row's and its column's way, to be added or not.

    `parts` are what is to be added: of each the synonyms, the first that is found counting; a synonym may be of several
    ways, all of which are added (研究生毕业, or 博士研究生毕业 and 硕士研究生毕业).
    """

    column: Column
    stage: str
    rows: tuple[Way, ...]
    columns: tuple[Way, ...]
    adds: str
    parts: tuple[tuple[tuple[Way, ...], ...], ...]
    is_single: bool
    is_positive: bool
    unit: str

    @property
    def part_ways(self) -> tuple[Way, ...]:
        """Every way of every part."""
        return tuple(way for part in self.parts for synonym in part for way in synonym)


@dataclass(frozen=True)
class NationalForm:
    """A form of all generations: its codes, titles, the figures planlib needs of it, its columns by grade."""

    codes: tuple[str, ...]
    titles: frozenset[str]
    places: tuple[Place, ...]
    stage: str
    grades: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class National:
    """The forms by code and by title, and the words around their tables."""

    by_code: Mapping[str, NationalForm]
    by_title: Mapping[str, NationalForm]
    code: re.Pattern[str]
    continued: tuple[str, ...]
    plain_sheets: frozenset[str]
    marks: frozenset[str]
    label_headers: frozenset[str]
    line_headers: frozenset[str]
    unit_headers: frozenset[str]
    total_rows: tuple[str, ...]
    part_words: tuple[str, ...]
    numbering: re.Pattern[str]
    unit_line: re.Pattern[str]
    not_in_forms: Mapping[str, frozenset[str]]
    base: Form

    def code_in(self, text: Any) -> str:
        """Return the code of a form in a text, or ``""``."""
        found = self.code.search(compact(text))
        return found[1] if found else ""

    def named(self, code: str, titles: Sequence[str]) -> NationalForm | None:
        """Return the form of a code or, where the code is new, of a title."""
        known = self.by_code.get(code)
        return known or next((self.by_title[t] for t in titles if t in self.by_title), None)

    def label(self, text: Any) -> tuple[str, bool]:
        """Return a label's comparable text, without numbering and unit, and whether it is a part of the row above.

        Examples
        --------
        >>> load_national().label("一、教学及辅助用房（平方米）"), load_national().label("其中：女")
        (('教学及辅助用房', False), ('女', True))
        """
        plain = self.numbering.sub("", key(str(text)))
        short, bracket = split_header(plain, self.part_words)
        is_part = plain.startswith(self.part_words)
        if bracket and bracket not in self.base.units:
            short = f"{short}({bracket})"
        return self.numbering.sub("", short), is_part


@functools.lru_cache(maxsize=4)
def load_national(path: Path = DEFINITIONS / "forms" / "school.yml") -> National:
    """Read the definition of the national forms.

    Raises
    ------
    RegistryError
        If the file cannot be read, a key is absent, a column is unknown to collection.yml, a unit is none of its
        units, or a code stands twice. All faults at once.
    """
    return read_definition(path, _faults, _built)


def _faults(data: Mapping[str, Any]) -> Iterator[str]:
    base, seen = load_form(), set()
    for entry in data["forms"]:
        for code in entry["codes"]:
            if code in seen:
                yield f"{code}: stands twice"
            seen.add(code)
        for name, place in (entry.get("fields") or {}).items():
            column = base.columns.get(name.partition("#")[0])
            if column is None:
                yield f"{entry['codes'][0]}: {name} is no field of collection.yml"
            elif set(place) - _FIELD_KEYS or ("add" in place) != ("parts" in place):
                yield f"{entry['codes'][0]}: {name} has an unknown key, or add without parts"
            elif "unit" in place and base.units[key(place["unit"])].measures != column.unit.measures:
                yield f"{entry['codes'][0]}: {name} is not measured in {place['unit']}"


def _built(data: Mapping[str, Any]) -> National:
    base = load_form()
    part_words = tuple(key(word) for word in data["part_words"])
    words = {
        name: frozenset(map(key, data[name]))
        for name in ("plain_sheets", "marks", "label_headers", "line_headers", "unit_headers")
    }
    made = National(
        by_code={},
        by_title={},
        code=re.compile("|".join(data["code_patterns"])),
        continued=tuple(map(key, data["continued"])),
        part_words=part_words,
        numbering=re.compile(data["numbering"]),
        unit_line=re.compile(data["unit_pattern"]),
        total_rows=tuple(map(key, data["total_rows"])),  # where a form has several, the first that is found counts
        not_in_forms={name: _types(types, base) for name, types in data["not_in_forms"].items()},
        base=base,
        **words,
    )
    forms = [_form(entry, made) for entry in data["forms"]]
    by_code = {code: form for form in forms for code in form.codes}
    by_title = {title: form for form in forms for title in form.titles}
    return National(**{**made.__dict__, "by_code": by_code, "by_title": by_title})


def _types(types: Any, base: Form) -> frozenset[str]:
    return frozenset(base.stages_of_type if types == "all" else types)


def _form(entry: Mapping[str, Any], words: National) -> NationalForm:
    places = [
        _place(name, place, entry.get("stage", ""), words) for name, place in (entry.get("fields") or {}).items()
    ]
    return NationalForm(
        codes=tuple(compact(code) for code in entry["codes"]),
        titles=frozenset(map(key, entry["titles"])),
        places=tuple(places),
        stage=entry.get("stage", ""),
        grades={key(text): grade for text, grade in entry.get("grades", {}).items()},
    )


def _place(name: str, place: Mapping[str, Any], stage: str, words: National) -> Place:
    column = words.base.columns[name.partition("#")[0]]
    return Place(
        column=column,
        stage=place.get("stage", stage) if column.level == "stage" else "",
        rows=_ways(place.get("row", ()), words),
        columns=_ways(place.get("column", ()), words),
        adds=place.get("add", ""),
        parts=tuple(_part(part, words) for part in place.get("parts", ())),
        is_single=bool(place.get("single")),
        is_positive=bool(place.get("is_positive")),
        unit=place.get("unit", ""),
    )


def _ways(texts: Sequence[str], words: National) -> tuple[Way, ...]:
    return tuple(tuple(words.label(part)[0] for part in text.split("/")) for text in texts)


def _part(part: str | Sequence[str], words: National) -> tuple[tuple[Way, ...], ...]:
    """Return the synonyms of a part: one text, or a list of texts; what stands on both sides of a + is added."""
    synonyms = [part] if isinstance(part, str) else part
    return tuple(_ways(text.split("+"), words) for text in synonyms)
