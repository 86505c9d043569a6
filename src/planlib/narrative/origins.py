"""Where a number comes from, in words: how it is computed and the cells of raw files it rests on."""

from collections.abc import Mapping
from math import isclose
from typing import Any

import pandas as pd

from planlib import schema
from planlib.columns import Column
from planlib.district.origins import Origin
from planlib.narrative.opening import definition
from planlib.narrative.parts import Table, join, say
from planlib.registry import label, phrase
from planlib.words import number, resource_name

_SHOWN = 10


def origin(
    found: Origin, language: str, most: int | None = _SHOWN, called: tuple[str, str] | None = None
) -> Table:
    """Return where a value comes from: the cells it rests on as a table, how it is computed as notes.

    Parameters
    ----------
    found : Origin
        `planlib.district.District.origin`.
    language : {"zh", "en"}
    most : int or None
        Cells shown; a note counts the rest. None shows all.
    called : tuple of str, optional
        Header and text of the value where a report prints it; else column and value are named.

    Returns
    -------
    Table
    """
    cells = found.cells if most is None else found.cells.head(most)
    rest = len(found.cells) - len(cells)
    name, value = called or (_named(found.column, language), _written(found.value, language))
    steps = [(code, {**values, "column": name} if "column" in values else values) for code, values in found.how]
    notes = [_sentence(code, _as_printed(values, found.value, called), language) for code, values in steps]
    notes += [say("note.more_cells", language, count=rest)] if rest else []
    shown = cells.assign(
        column=[_named(name, language) for name in cells["column"]],
        value=[_written(value, language) for value in cells["value"]],
        cell=[phrase(str(cell), language) for cell in cells["cell"]],
        step=[phrase(str(step), language) for step in cells["step"]],
    )
    forms = {"stage": "label:stage", "year": "year"}
    kept = [name for name in shown.columns if name not in _KEYS or shown[name].replace("", pd.NA).notna().any()]
    columns = [Column(name, name, forms.get(name, "text")) for name in kept]
    headers = {name: _header(name, language) for name in kept}
    return Table(
        shown, columns, say("caption.origin", language, value=f"{name} {value}".strip()), language, notes, headers
    )


def _as_printed(values: Mapping[str, Any], value: Any, called: tuple[str, str] | None) -> Mapping[str, Any]:
    """Return a step's values with the value that a report prints as the report prints it."""
    is_it = isinstance(values.get("value"), float) and isinstance(value, float)
    return {**values, "value": called[1]} if called and is_it and isclose(values["value"], value) else values


_KEYS = ("school_id", "stage", "year", "sheet")


def _header(name: str, language: str) -> str:
    return say(f"origin_header.{name}", language)


def _named(column: str, language: str) -> str:
    if column in schema.fields():
        return schema.label(column, language)
    return column


def _written(value: Any, language: str) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        return ""
    return number(value, language) if isinstance(value, float) else str(value)


def _sentence(code: str, values: Mapping[str, Any], language: str) -> str:
    """Say one step of the way, with codes as words."""
    said = dict(values)
    said["name"] = said.get(f"name_{language}", said.get("name_zh", ""))
    if "measure" in said:
        said["measure"] = definition(said["measure"], language)
    if "resource" in said:
        code_of = said["resource"]
        said["resource"] = code_of if code_of == "composite" else resource_name(str(code_of), language)
        code = code if code != "resource" else _RESOURCES.get(str(code_of), code)
    if "parts" in said:
        named = [f"{resource_name(r, language)} {value:.3f}" for r, value in said["parts"].items()]
        said["parts"] = join(named, language)
    if "stage" in said:
        said["stage"] = label(str(said["stage"]), language, "stage")
    if "value" in said:
        said["value"] = _written(said["value"], language)
    said["reference"] = said.get("reference" if language == "zh" else "reference_en", "")
    return say(f"origin.{code}", language, **said)


_RESOURCES = {"sports_area_m2": "resource_sports", "teaching_area_m2": "resource_teaching"}
