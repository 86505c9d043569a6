"""What plan.yml may hold: every key, what it must look like, whether it must be there."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from planlib.registry.documents import Document, Where, did_you_mean
from planlib.registry.targets import RELATIONS
from planlib.registry.words import LANGUAGES, codes

_ID = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Key:
    """A key of plan.yml: its form, the group of codes it draws from, whether it may be left out."""

    form: str
    group: str = ""
    optional: bool = False


Shape = Mapping[str, Key]

_WORDS, _ID_KEY, _REFERENCE = Key("words"), Key("id"), Key("words")
_NOTE = Key("words", optional=True)
_LINKS = {key: Key("id", optional=True) for key in ("goal", "task", "box", "safeguard")}

PLAN: Shape = {
    "schema_version": Key("integer"),
    "name": _WORDS,
    "title": _WORDS,
    "document": Key("mapping", optional=True),
    "period": Key("mapping"),
    "boundary": _NOTE,
    "areas": Key("list", optional=True),
    "frame": Key("mapping", optional=True),
    "base_counts": Key("list", optional=True),
    "sums": Key("list", optional=True),
    "indicators": Key("list"),
    "commitments": Key("list", optional=True),
    "amendments": Key("list", optional=True),
    "discrepancies": Key("list", optional=True),
}
DOCUMENT: Shape = {"number": Key("text"), "date": Key("date"), "issuer": _WORDS}
PERIOD: Shape = {year: Key("integer") for year in ("baseline_year", "first_year", "last_year")}
KINDS = {"goals": "goal", "tasks": "task", "boxes": "box", "safeguards": "safeguard"}
"""The lists of the frame and what one of their entries is called."""

FRAME: Shape = {kind: Key("list", optional=True) for kind in KINDS}
FRAME_ENTRY: Shape = {"id": _ID_KEY, "number": Key("integer"), "name": _WORDS, "reference": _REFERENCE}
AREA: Shape = {"name": _WORDS, "reference": _NOTE}
"""An area of the district as its returns call it, and its name in English."""
BASE_COUNT: Shape = {
    "id": _ID_KEY,
    "name": _WORDS,
    "value": Key("number"),
    "relation": Key("relation", optional=True),
    "unit": Key("code", "unit"),
    "reference": _REFERENCE,
    "note": _NOTE,
}
SUM: Shape = {"total": _ID_KEY, "parts": Key("ids"), "reference": _REFERENCE}
INDICATOR: Shape = {
    "id": _ID_KEY,
    "number": Key("integer"),
    "name": _WORDS,
    "dimension": Key("code", "dimension"),
    "attribute": Key("code", "attribute"),
    "goal": Key("id", optional=True),
    "reference": _REFERENCE,
    "series": Key("list"),
}
SERIES: Shape = {
    "id": _ID_KEY,
    "number": Key("integer"),
    "name": _WORDS,
    "unit": Key("code", "unit"),
    "stage": Key("code", "stage", optional=True),
    "direction": Key("code", "direction"),
    "judged": Key("code", "judged"),
    "kind": Key("code", "series_kind"),
    "baseline": Key("printed"),
    "target": Key("printed"),
    "baseline_as_of": Key("date"),
    "target_as_of": Key("date"),
    "bounds": Key("bounds", optional=True),
    "source": Key("code", "source"),
    "measure": Key("mapping", optional=True),
    **_LINKS,
    "reference": _REFERENCE,
    "note": _NOTE,
}
COMMITMENT: Shape = {
    "id": _ID_KEY,
    "name": _WORDS,
    "kind": Key("code", "kind"),
    "target": Key("printed"),
    "unit": Key("code", "unit"),
    "period": Key("code", "period", optional=True),
    "due": Key("date"),
    **_LINKS,
    "measure": Key("mapping", optional=True),
    "reference": _REFERENCE,
    "note": _NOTE,
}
AMENDMENT: Shape = {
    "series": Key("id", optional=True),
    "commitment": Key("id", optional=True),
    "target": Key("printed"),
    "date": Key("date"),
    "approval": _WORDS,
}
DISCREPANCY: Shape = {
    "id": _ID_KEY,
    "series": Key("ids"),
    "text": Key("text"),
    "table": Key("text"),
    "note": _WORDS,
    "reference": _REFERENCE,
}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_words(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == set(LANGUAGES) and all(_is_text(v) for v in value.values())


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and bool(_ID.fullmatch(value))


def is_date(value: Any) -> bool:
    """Return whether a value is the ISO text of a day that exists.

    Examples
    --------
    >>> is_date("2024-02-29"), is_date("2023-02-29"), is_date("20240229")
    (True, False, False)
    """
    try:
        return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def _is_bounds(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(v is None or _is_number(v) for v in value)


_FORMS: dict[str, tuple[Callable[[Any], bool], str, str]] = {
    "id": (_is_id, "an id such as new_schools", "write small letters, digits and _"),
    "ids": (lambda v: isinstance(v, list) and bool(v) and all(map(_is_id, v)), "a list of ids", "write [a, b]"),
    "texts": (lambda v: isinstance(v, list) and all(map(_is_text, v)), "a list of texts", "write [a, b]"),
    "boolean": (lambda v: isinstance(v, bool), "true or false", "write one of the two without quotes"),
    "text": (_is_text, "text", "write it in quotes"),
    "words": (_is_words, "{zh: …, en: …}", "write both languages, neither empty"),
    "integer": (lambda v: _is_number(v) and isinstance(v, int), "a whole number", "write digits without quotes"),
    "number": (_is_number, "a number", "write digits without quotes"),
    "printed": (
        _is_text,
        'a printed number in quotes such as ">95"',
        "quote it, so that sign and decimals are kept",
    ),
    "date": (is_date, "a date such as 2025-12-31", "write year-month-day of a day that exists"),
    "bounds": (_is_bounds, "[lowest, highest]", "write two numbers, null where there is no bound"),
    "mapping": (lambda v: isinstance(v, dict), "keys with values", "write `key: value` lines below it"),
    "list": (lambda v: isinstance(v, list), "a list", "write `- ` entries below it"),
    "relation": (lambda v: v in RELATIONS, "one of = > ≥ < ≤ ≈", "write one of these signs in quotes"),
}


def check(document: Document, where: Where, value: Any, shape: Shape) -> bool:
    """Note every fault of the keys of one entry; return whether there was none.

    Parameters
    ----------
    document : Document
        Receives the faults.
    where : tuple
        The way to the entry.
    value : Any
        The entry.
    shape : mapping of str to Key
        What it may hold.

    Returns
    -------
    bool

    Examples
    --------
    >>> document = Document("plan.yml", lines={("nmae",): 3})
    >>> check(document, (), {"nmae": "x"}, {"name": Key("text")})
    False
    >>> print(document.faults[0][1])
    plan.yml, line 3: unknown key 'nmae', expected name: did you mean 'name'?
    """
    before = len(document.faults)
    if not isinstance(value, dict):
        document.fault(where, f"{value!r:.60}", "keys with values", f"write {', '.join(list(shape)[:3])}, … here")
        return False
    for key in value:
        if key not in shape:
            document.fault((*where, key), f"unknown key {key!r}", ", ".join(shape), did_you_mean(key, shape))
    for name, key in shape.items():
        if name in value:
            _check_value(document, (*where, name), value[name], key)
        elif not key.optional:
            todo = "add it, with the section or box" if name == "reference" else f"add a line `{name}:`"
            document.fault(where, f"{_named(where, value)} has no {name}", "one", todo)
    return len(document.faults) == before


def _named(where: Where, value: Mapping[Any, Any]) -> str:
    if isinstance(value.get("id"), str):
        return f"the entry {value['id']!r}"
    names = [step for step in where if isinstance(step, str)]
    if not names:
        return f"entry {int(where[-1]) + 1}" if where else "the file"
    return f"the entry {names[-1]}" if where[-1] == names[-1] else f"this entry of {names[-1]}"


def _check_value(document: Document, where: Where, value: Any, key: Key) -> None:
    name = where[-1]
    if key.form == "code":
        known = codes(key.group)
        if value not in known:
            todo = did_you_mean(value, known)
            todo += f" (or add it to `{key.group}` in definitions/labels.yml)"
            document.fault(where, f"unknown {name} {value!r:.60}", f"one of {', '.join(known)}", todo)
        return
    is_right, expected, todo = _FORMS[key.form]
    if not is_right(value):
        document.fault(where, f"{name} is {value!r:.60}", expected, todo)
