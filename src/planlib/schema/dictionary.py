"""The dictionary of columns (``definitions/fields.yml``): the type, unit, labels and range of every name."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from planlib.errors import RegistryError, listing
from planlib.paths import DEFINITIONS
from planlib.schema.tables import TABLES, Table

_FIELD_KEYS = {"type", "unit", "label", "values", "minimum", "maximum"}
DTYPES = {  # type → (where a value is required, where it may be absent)
    "string": ("str", "str"),
    "date": ("str", "str"),
    "integer": ("int64", "Int64"),
    "number": ("float64", "Float64"),
    "boolean": ("bool", "boolean"),
}


@dataclass(frozen=True)
class Field:
    """One column name and its only meaning (``definitions/fields.yml``)."""

    name: str
    type: str
    unit: str
    label: Mapping[str, str]
    values: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None


@functools.lru_cache(maxsize=1)
def _dictionary() -> Mapping[str, Any]:
    """Return fields.yml as it stands, once it is known to be right."""
    path = DEFINITIONS / "fields.yml"
    loaded = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    faults = _dictionary_faults(loaded)
    if faults:
        raise RegistryError(listing(f"wrong entries in {path}", faults, "mend the file"))
    return dict(loaded)


@functools.lru_cache(maxsize=1)
def fields() -> Mapping[str, Field]:
    """Return the registry of columns, by name.

    Raises
    ------
    RegistryError
        If ``definitions/fields.yml`` declares a field wrongly; all faults at once.

    Examples
    --------
    >>> fields()["equipment_value_yuan"].unit
    'yuan'
    """
    return {name: Field(name, **_frozen(entry)) for name, entry in _dictionary()["fields"].items()}


def label(column: str, language: str, with_unit: bool = False) -> str:
    """Return the label of a column in ``zh`` or ``en``, its unit in brackets if asked for.

    Examples
    --------
    >>> label("equipment_value_yuan", "en", with_unit=True)
    'Value of teaching equipment (yuan)'
    """
    text = fields()[column].label[language]
    counted = unit(column, language)
    if not (with_unit and counted):
        return text
    return f"{text}（{counted}）" if language == "zh" else f"{text} ({counted})"


def unit(column: str, language: str) -> str:
    """Return the unit of a column in ``zh`` or ``en``; empty for none.

    Examples
    --------
    >>> unit("teaching_area_m2", "en"), unit("school_name", "en")
    ('m²', '')
    """
    code = fields()[column].unit
    return str(_dictionary()["units"][code][language]) if code else ""


def is_text(field: Field) -> bool:
    """Tell whether a field's values are texts, dates among them: absent is ``""``."""
    return field.type in ("string", "date")


def dtypes(declared: Table) -> dict[str, str]:
    """Return the type of each column of a table: a nullable one where a value may be absent."""
    return {n: DTYPES[fields()[n].type][0 if n in declared.required else 1] for n in declared.columns}


def _frozen(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if key == "values" else value for key, value in entry.items()}


def _dictionary_faults(loaded: Any) -> list[str]:
    """Return what is wrong with fields.yml, and which columns of the declared tables it does not name."""
    entries = loaded.get("fields", {}) if isinstance(loaded, dict) else {}
    units = {"", *(loaded.get("units") or {})} if isinstance(loaded, dict) else {""}
    faults = [
        f"{name}: needs type, unit (known), label {{zh, en}} and no other key than {sorted(_FIELD_KEYS)}"
        for name, entry in entries.items()
        if set(entry) - _FIELD_KEYS
        or entry.get("type") not in DTYPES
        or entry.get("unit") not in units
        or set(entry.get("label", {})) != {"zh", "en"}
    ]
    named = {column for table in TABLES.values() for column in table.columns}
    return faults + [f"{name}: a column of a table, but not declared" for name in sorted(named - set(entries))]
