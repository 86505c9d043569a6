"""Measures: how tables give the value of a series or a commitment, as data and not as code.

========================================= ======================================================================
``{sum: column, where: {…}}``             sum of a column of ``schools``; ``per: school`` counts a school once
``{count: schools, where: {…}}``          number of schools (``school_id``)
``{…, over: column, over_where: {…}}``    the same, divided by a second sum (``over: schools``: by a count)
``{…, scale: 100}``                       times a number: 100 for a share in per cent, 0.0001 for 万
``{composite: primary}``                  the composite coefficient of the stage
``{series: id}``                          the value of a series; ``change: fall`` its yearly fall
``{projects: opened, where: {…}}``        projects with a date in that column; ``sum: site_area_m2`` their area
``{finance: item}``                       a yearly figure; ``over: item`` a ratio; ``change: rise`` yearly change
                                          in per cent; ``per: students`` per pupil of all stages
========================================= ======================================================================

In a ``where`` a value is one value, a list of values, or ``any`` (there is one, and it is no empty text).
"""

from collections.abc import Iterable
from typing import Any

from planlib.registry.documents import Document, Where, did_you_mean
from planlib.registry.entries import Entries, Entry
from planlib.registry.words import load_definitions

_SCHOOL = ("where", "over", "over_where", "scale", "per")
_KEYS = {  # the key that says what is measured → the keys that may stand beside it
    "composite": (),
    "series": ("change",),
    "projects": ("sum", "where", "scale"),
    "finance": ("over", "per", "change", "scale"),
    "count": _SCHOOL,
    "sum": _SCHOOL,
}
_OF_SERIES = ("sum", "count", "composite")
_WORDS = {"per": ("school", "students"), "change": ("rise", "fall"), "count": ("schools",)}


def check_measures(document: Document, entries: Entries) -> None:
    """Note every fault in the measures of a plan: unknown keys, columns, values.

    Parameters
    ----------
    document : Document
        Receives the faults.
    entries : Entries
    """
    fields = load_definitions("fields")["fields"]
    series = [entry.id for entry in entries.series]
    for entry in entries.tracked():
        measure = entry.data.get("measure")
        if isinstance(measure, dict):
            allowed = _OF_SERIES if "direction" in entry.data else tuple(_KEYS)
            _Checker(document, (*entry.where, "measure"), fields, series).check(measure, allowed)


class _Checker:
    """Notes the faults of one measure."""

    def __init__(self, document: Document, where: Where, fields: dict[str, Any], series: list[str]) -> None:
        self.document, self.where, self.fields, self.series = document, where, fields, series

    def fault(self, key: str, what: str, expected: str, todo: str) -> None:
        self.document.fault((*self.where, key), what, expected, todo)

    def check(self, measure: dict[Any, Any], allowed: tuple[str, ...]) -> None:
        leading = next((key for key in _KEYS if key in measure), None)
        if leading not in allowed:
            self.fault(
                "",
                f"a measure with {', '.join(map(str, measure))}",
                f"one of {', '.join(allowed)}",
                "say what is measured",
            )
            return
        known = (leading, *_KEYS[leading])
        for key, value in measure.items():
            if key not in known:
                self.fault(
                    str(key), f"unknown key {key!r} of a measure", ", ".join(known), did_you_mean(key, known)
                )
            elif key in ("where", "over_where"):
                self.conditions(key, value)
            else:
                self.value(key, value, leading)

    def value(self, key: str, value: Any, leading: str) -> None:
        if key == "scale":
            if isinstance(value, bool) or not isinstance(value, int | float) or value == 0:
                self.fault(key, f"scale {value!r:.40}", "a number other than 0", "write digits")
            return
        known = self.known(key, leading)
        if known is not None and value not in known:
            self.fault(key, f"unknown {key} {value!r:.40}", "a name that is known", did_you_mean(value, known))

    def known(self, key: str, leading: str) -> Iterable[str] | None:
        """Return what a key may say; None where only the data know (items of finance)."""
        if key in _WORDS:
            return _WORDS[key]
        if key == "composite":
            return list(self.fields["stage"]["values"])
        if key == "series":
            return self.series
        if leading == "finance":
            return None
        numbers = [name for name, field in self.fields.items() if field["type"] in ("integer", "number")]
        dates = [name for name, field in self.fields.items() if field["type"] == "date"]
        return dates if key == "projects" else [*numbers, "schools"] if key == "over" else numbers

    def conditions(self, key: str, value: Any) -> None:
        if not isinstance(value, dict):
            self.fault(key, f"{key} is {value!r:.40}", "{column: value}", "write columns with values")
            return
        for column, wanted in value.items():
            if column not in self.fields:
                self.fault(
                    key, f"unknown column {column!r}", "a column of fields.yml", did_you_mean(column, self.fields)
                )
                continue
            values = self.fields[column].get("values")
            for one in wanted if isinstance(wanted, list) else [wanted]:
                if values and one != "any" and one not in values:
                    self.fault(
                        key, f"unknown {column} {one!r:.40}", "a value of fields.yml", did_you_mean(one, values)
                    )


def measured(entry: Entry) -> dict[str, Any] | None:
    """Return the measure of an entry, or None."""
    found = entry.data.get("measure")
    return dict(found) if isinstance(found, dict) else None
