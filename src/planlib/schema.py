"""The tables between the rooms, as declared schemas with a version.

A processed table has the columns, types, keys and ranges declared here, or it is not written. Names, types, units
and labels of columns stand once, in ``definitions/fields.yml``.
"""

import base64
import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from planlib.errors import DataError, RegistryError, listing
from planlib.paths import DEFINITIONS

# Tables here have tens of rows and are asked cell by cell: Arrow's texts take a tenth more of every notebook, and a
# quarter more of cleaning. The same everywhere, for the types in a written file depend on it.
pd.set_option("mode.string_storage", "python")

SCHEMA_VERSION = 1

_VERSION_KEY = b"planlib_schema_version"
_TABLE_KEY = b"planlib_table"
_ARROW_KEY = b"ARROW:schema"
# Full-width signs too: spreadsheets of East Asian systems take them for the plain ones.
_FORMULA = re.compile(r"(?![-+]?[\d.,]+%?$)[=+\-@\t\r＝＋－＠]")
_ISO_DATE = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")
_FIELD_KEYS = {"type", "unit", "label", "values", "minimum", "maximum"}
DISTINCT = ("cell",)
"""Columns of texts that are nearly all different: looking for equal ones would only cost."""
_DTYPES = {  # type → (where a value is required, where it may be absent)
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


@dataclass(frozen=True)
class Table:
    """One processed table: columns in order, its primary key, and the columns that are never empty.

    ``as_of`` says how a row is dated: the name of a date column, ``"<column>-MM-DD"`` to complete a year, or
    ``""`` for a table that is not cut by date.
    """

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    required: tuple[str, ...]
    as_of: str = ""
    is_collected: bool = False


def _table(name: str, columns: str, key: str, required: str, as_of: str = "", collected: bool = False) -> Table:
    """Declare a table; `collected` ones are CSV files a district brings, so that rows know file and line."""
    names = tuple(columns.split()) + (("file", "line") if collected else ())
    needed = tuple(dict.fromkeys([*key.split(), *required.split(), *(("file", "line") if collected else ())]))
    return Table(name, names, tuple(key.split()), needed, as_of, collected)


TABLES: Mapping[str, Table] = {
    table.name: table
    for table in (
        _table(
            "schools",
            "school_id stage year school_name school_type ownership area education_group campuses opened_year is_inclusive "
            "kindergarten_grade is_standardised modern_school_year brand_count classes students entrants staff "
            "teachers teachers_above_required_degree postgraduate_teachers backbone_teachers sports_arts_teachers "
            "senior_title_teachers master_teachers psychology_teachers teaching_area_m2 gym_area_m2 "
            "sports_ground_m2 equipment_value_yuan multimedia_rooms books computers capacity_students has_clinic "
            "has_school_doctor is_psychology_met activity_room_area_m2 building_area_m2 outdoor_play_area_m2 "
            "certified_teachers students_vision_tested students_myopic students_fitness_tested "
            "students_fitness_passed graduates_expected students_of_age students_male students_female classes_to_45 "
            "classes_46_to_55 classes_56_to_65 classes_above_65 as_of",
            "school_id stage year",
            "school_name school_type as_of",
            "as_of",
        ),
        _table(
            "lineage",
            "table school_id stage year column file sheet cell raw step",
            "table school_id stage year column",
            "file sheet cell",
            "year-09-01",
        ),
        _table(
            "form_cells",
            "school_id year form row_label column_label raw value unit file sheet cell",
            "file sheet cell",
            "school_id year form raw",
            "year-09-01",
        ),
        _table(
            "observations",
            "series_id value relation as_of status source_office boundary note",
            "series_id as_of status boundary",
            "value relation",
            "as_of",
            True,
        ),
        _table(
            "enrolment",
            "school_id school_name area stage grade year students",
            "school_id stage grade year",
            "students",
            "year-09-01",
            True,
        ),
        _table("births", "area year births", "area year", "births", "year-12-31", True),
        _table(
            "milestones",
            "commitment_id date achieved evidence note",
            "commitment_id date",
            "achieved",
            "date",
            True,
        ),
        _table(
            "projects",
            "project_id name kind area approved started completed handed_over opened classes seats "
            "investment_yuan floor_area_m2 site_area_m2",
            "project_id",
            "name kind",
            "",
            True,
        ),
        _table(
            "finance",
            "item year value unit as_of status source_office",
            "item year as_of status",
            "value unit",
            "as_of",
            True,
        ),
        _table("issues", "level issue_kind file sheet cell school year found expected done", "", "level file"),
    )
}


@functools.lru_cache(maxsize=1)
def _registry() -> Mapping[str, Any]:
    """Return fields.yml as it stands, once it is known to be right."""
    path = DEFINITIONS / "fields.yml"
    loaded = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    faults = _registry_faults(loaded)
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
    return {name: Field(name, **_frozen(entry)) for name, entry in _registry()["fields"].items()}


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
    return str(_registry()["units"][code][language]) if code else ""


def conform(frame: pd.DataFrame, table: str) -> pd.DataFrame:
    """Return `frame` with the columns, order and types that `table` declares, sorted by its key.

    Texts that come as categories stay so, for long tables are made of them many times as fast.

    Parameters
    ----------
    frame : DataFrame
        Has the declared columns, in any order; optional ones may be absent and come out empty.
    table : str
        A key of `TABLES`.

    Returns
    -------
    DataFrame
        Text columns are ``str`` without missing values (absent is ``""``); optional numbers are ``Int64``,
        ``Float64``, ``boolean``.

    Raises
    ------
    DataError
        If a column is unknown or absent, a value is not of its type, out of range or not among the allowed ones, a
        required value is missing, or a key stands twice. All faults at once, with the rows.

    Examples
    --------
    >>> rows = pd.DataFrame({"year": ["2020"], "area": ["east"], "births": [12.0], "file": ["b.csv"], "line": [2]})
    >>> conform(rows, "births").dtypes.astype(str).to_dict()["births"]
    'int64'
    """
    declared = _declared(table)
    faults = _column_faults(frame, declared)
    if faults:
        raise _refused(table, faults)
    if frame.empty:
        return empty(table)
    converted = {name: _converted(frame, declared, name, faults) for name in declared.columns}
    result = pd.DataFrame(converted, index=frame.index)
    for name in declared.columns:
        if name in frame.columns:
            faults += _value_faults(result[name], declared, name, frame)
    order, is_unique = _order(result, declared)
    faults += [] if is_unique else _key_faults(result, declared)
    if faults:
        raise _refused(table, faults)
    return _taken(_with_dtypes(result, declared), order)


def ordered(frame: pd.DataFrame, table: str) -> pd.DataFrame:
    """Return rows that `conform` gave, in several parts and at other times, in the order of the table's key.

    Examples
    --------
    >>> ordered(pd.DataFrame({"area": ["b", "a"], "year": [2020, 2020]}), "births")["area"].tolist()
    ['a', 'b']
    """
    return _taken(frame, _order(frame, _declared(table))[0])


def _order(frame: pd.DataFrame, declared: Table) -> tuple[np.ndarray, bool]:
    """Return the order of the rows by their key, and whether no key stands twice."""
    if not declared.key:
        return np.arange(len(frame)), True
    numbers = row_numbers(frame, declared.key)
    order = np.argsort(numbers, kind="stable")
    return order, not (np.diff(numbers[order]) == 0).any()


def empty(table: str) -> pd.DataFrame:
    """Return the table without rows, with its declared types.

    Examples
    --------
    >>> len(empty("births"))
    0
    """
    kinds = _kinds(_declared(table))
    return pd.DataFrame({name: pd.array([], dtype=kind) for name, kind in kinds.items()})


def write_table(frame: pd.DataFrame, table: str, path: Path, *, conformed: bool = False) -> None:
    """Conform `frame` to `table` and write it as parquet, with the schema version in the file's metadata.

    The same rows give the same bytes.

    Parameters
    ----------
    frame : DataFrame
    table : str
        A key of `TABLES`.
    path : Path
    conformed : bool
        True for a frame that `conform` returned just now: it is not checked twice.
    """
    frame = frame if conformed else conform(frame, table)
    arrow = pa.Table.from_pandas(frame.assign(**_without_unused(frame)), preserve_index=False)
    # texts are read back as texts, however they came: the schema of the table without rows is kept beside it
    plain = pa.Schema.from_pandas(empty(table), preserve_index=False)
    own = {_VERSION_KEY: str(SCHEMA_VERSION).encode(), _TABLE_KEY: table.encode()}
    plain = plain.with_metadata({**plain.metadata, **own})
    # addresses are nearly all different, and nobody looks for rows by the least and the greatest text of a part
    repeated = [name for name in arrow.column_names if name not in DISTINCT]
    how: dict[str, Any] = {"compression": "zstd", "use_dictionary": repeated, "write_statistics": False}
    with pq.ParquetWriter(path, arrow.schema, store_schema=False, **how) as writer:
        writer.write_table(arrow)
        writer.add_key_value_metadata({_ARROW_KEY: base64.b64encode(plain.serialize().to_pybytes())})


def _without_unused(frame: pd.DataFrame) -> dict[str, pd.Categorical]:
    """Return the columns of categories some of which no row has, with the others alone."""
    made = {}
    for name, column in frame.items():
        if isinstance(column.dtype, pd.CategoricalDtype):
            is_used = used(column)
            if not is_used.all():
                codes = (np.cumsum(is_used) - 1)[column.cat.codes.to_numpy()]
                made[str(name)] = pd.Categorical.from_codes(codes, column.cat.categories[is_used])
    return made


def used(column: pd.Series) -> np.ndarray:
    """Tell which categories of a column any row has.

    Examples
    --------
    >>> used(pd.Series(pd.Categorical(["b"], ["a", "b"]))).tolist()
    [False, True]
    """
    return np.bincount(column.cat.codes.to_numpy(), minlength=len(column.cat.categories)) > 0


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    r"""Write `frame` as a CSV file that a spreadsheet may open: no text of a stranger becomes a formula there.

    A text that begins with ``= + - @``, a tab or a carriage return, and is no number, gets an apostrophe before it.
    The byte-order mark lets spreadsheets see that it is UTF-8.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.csv"
    >>> write_csv(pd.DataFrame({"found": ["=1+1", "-3", "a"]}), path)
    >>> path.read_text(encoding="utf-8")
    "\ufefffound\n'=1+1\n-3\na\n"
    """
    texts = frame.select_dtypes("str")
    armed = {name: texts[name].str.match(_FORMULA) for name in texts}
    safe = {name: texts[name].mask(is_formula, "'" + texts[name]) for name, is_formula in armed.items()}
    frame.assign(**safe).to_csv(path, index=False, lineterminator="\n", encoding="utf-8-sig")


def read_table(path: Path, table: str) -> pd.DataFrame:
    """Read a processed table that this version of planlib wrote.

    Raises
    ------
    DataError
        If the file is absent, is not parquet, holds another table, or was written with another schema version:
        says which file and how to build it again.
    """
    again = "To do: build the tables again with `planlib clean <district>`."
    try:
        arrow = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"Could not read {path}: {str(error).splitlines()[0]}.\n{again}") from error
    metadata = arrow.schema.metadata or {}
    found = metadata.get(_VERSION_KEY, b"none").decode()
    if found != str(SCHEMA_VERSION):
        raise DataError(f"{path} has schema version {found}, this planlib reads {SCHEMA_VERSION}.\n{again}")
    holds = metadata.get(_TABLE_KEY, b"?").decode()
    if holds != table or tuple(arrow.column_names) != _declared(table).columns:
        raise DataError(f"{path} holds the table {holds} with other columns than {table} declares.\n{again}")
    return arrow.to_pandas()


def as_of_dates(frame: pd.DataFrame, table: str) -> pd.Series:
    """Return the date from which each row may be known, as its table declares (``"all"`` if it is undated).

    Examples
    --------
    >>> as_of_dates(pd.DataFrame({"year": [2020]}), "births").tolist()
    ['2020-12-31']
    """
    rule = _declared(table).as_of
    if not rule:
        return pd.Series("all", index=frame.index, dtype="str")
    column, _, day = rule.partition("-")
    codes, values = pd.factorize(frame[column], use_na_sentinel=False)  # few dates, many rows
    words = pd.Series(values).astype("str") + (f"-{day}" if day else "")
    return pd.Series(words.array.take(codes), index=frame.index)


def _frozen(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if key == "values" else value for key, value in entry.items()}


def _registry_faults(loaded: Any) -> list[str]:
    """Return what is wrong with fields.yml, and which columns of the declared tables it does not name."""
    entries = loaded.get("fields", {}) if isinstance(loaded, dict) else {}
    units = {"", *(loaded.get("units") or {})} if isinstance(loaded, dict) else {""}
    faults = [
        f"{name}: needs type, unit (known), label {{zh, en}} and no other key than {sorted(_FIELD_KEYS)}"
        for name, entry in entries.items()
        if set(entry) - _FIELD_KEYS
        or entry.get("type") not in _DTYPES
        or entry.get("unit") not in units
        or set(entry.get("label", {})) != {"zh", "en"}
    ]
    named = {column for table in TABLES.values() for column in table.columns}
    return faults + [f"{name}: a column of a table, but not declared" for name in sorted(named - set(entries))]


def _declared(table: str) -> Table:
    if table not in TABLES:
        raise DataError(f"Unknown table {table!r}. Known tables: {', '.join(TABLES)}.")
    return TABLES[table]


def _refused(table: str, faults: list[str]) -> DataError:
    return DataError(listing(f"the table {table} does not fit its schema", faults, "mend the source named above"))


def _column_faults(frame: pd.DataFrame, declared: Table) -> list[str]:
    absent = [name for name in declared.required if name not in frame.columns]
    unknown = [str(name) for name in frame.columns if name not in declared.columns]
    return [f"column {name} is missing" for name in absent] + [
        f"column {name} is not declared" for name in unknown
    ]


def _converted(frame: pd.DataFrame, declared: Table, name: str, faults: list[str]) -> pd.Series:
    """Return a column as its nullable type; what cannot be read becomes missing and a fault."""
    field = fields()[name]
    dtype: Any = _DTYPES[field.type][1]
    if name not in frame.columns:
        return pd.Series("" if _is_text(field) else pd.NA, index=frame.index, dtype=dtype)
    source = frame[name]
    if _is_text(field):
        if isinstance(source.dtype, pd.CategoricalDtype) and not source.hasnans:
            return source
        texts = source if source.dtype == "str" else source.astype("str")
        return texts.mask(source.isna(), "").astype("str") if source.hasnans else texts
    numbers, is_given = _numbers(source)
    unread = is_given & (np.isnan(numbers) | _is_off_type(numbers, field.type))
    wanted = {"integer": "a whole number", "number": "a number", "boolean": "true or false"}[field.type]
    faults += [
        _at(frame, declared, int(i), name, f"is {_shown(source.iloc[int(i)])}, expected {wanted}")
        for i in np.flatnonzero(unread)
    ]
    known = is_given & ~unread
    return pd.Series(np.where(known, numbers, np.nan), index=frame.index).mask(~known).astype(dtype)


def _numbers(source: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return a column as floats (NaN where it is no finite number) and where a value was given at all."""
    is_given = source.notna().to_numpy(dtype=bool)
    if source.dtype.kind not in "biuf":
        is_given = is_given & (source.astype("str") != "").to_numpy(dtype=bool)
        source = pd.to_numeric(source, errors="coerce")
    numbers = source.to_numpy(dtype="float64", na_value=np.nan)
    return np.where(np.isfinite(numbers), numbers, np.nan), is_given


def _is_off_type(numbers: np.ndarray, kind: str) -> np.ndarray:
    """Tell which numbers are none of a type: 2.5 and 1e20 (not exact as a float) are no integers, 2 is no truth value."""
    if kind == "boolean":
        return ~np.isin(numbers, [0, 1])
    if kind == "integer":
        return (numbers % 1 != 0) | (np.abs(numbers) > 2**53)
    return np.zeros(len(numbers), dtype=bool)


def _shown(value: Any) -> str:
    """Write a value as a person would: text in quotes, a number plain."""
    return repr(value) if isinstance(value, str) else f"{value}"


def _plain(value: Any) -> str:
    """Write a key without the ``.0`` that a column with gaps gives to whole numbers."""
    return f"{value:.0f}" if isinstance(value, float) and value.is_integer() else f"{value}"


def _is_text(field: Field) -> bool:
    return field.type in ("string", "date")


def _rows(mask: pd.Series) -> list[int]:
    return [int(i) for i in np.flatnonzero(mask.to_numpy(dtype=bool))]


def _value_faults(column: pd.Series, declared: Table, name: str, frame: pd.DataFrame) -> list[str]:
    """Return the faults of a converted column: missing, not allowed, out of range, no date."""
    field = fields()[name]
    is_empty = column == "" if _is_text(field) else column.isna()
    faults = []
    if name in declared.required and is_empty.any():
        # a value that could not be read was said already
        absent = is_empty & (frame[name].isna() | (frame[name].astype("str") == ""))
        wanted = f"one of {', '.join(field.values)}" if field.values else "a value"
        faults += [_at(frame, declared, i, name, f"is empty, expected {wanted}") for i in _rows(absent)]
    wrong, expected = _range_faults(column, field)
    if not wrong.any():
        return faults
    said = (wrong & ~is_empty).fillna(False)
    return faults + [
        _at(frame, declared, i, name, f"is {_shown(column.iloc[i])}, expected {expected}") for i in _rows(said)
    ]


def _range_faults(column: pd.Series, field: Field) -> tuple[pd.Series, str]:
    if field.values:
        return ~column.isin(field.values), f"one of {', '.join(field.values)}"
    if field.type == "date":
        return ~is_iso_date(column), "a date like 2023-09-01"
    if field.type in ("integer", "number") and (field.minimum is not None or field.maximum is not None):
        low = -np.inf if field.minimum is None else field.minimum
        high = np.inf if field.maximum is None else field.maximum
        bounds = f"at least {low:g}" if high == np.inf else f"between {low:g} and {high:g}"
        return ~column.between(low, high), bounds
    return pd.Series(False, index=column.index), ""


def is_iso_date(column: pd.Series) -> pd.Series:
    """Tell which texts are real dates written as YYYY-MM-DD.

    Examples
    --------
    >>> is_iso_date(pd.Series(["2023-09-01", "2023-02-30", "2023/9/1"])).tolist()
    [True, False, False]
    """
    codes, different = pd.factorize(column.astype("str"))  # few days, many rows
    words = pd.Series(different, dtype="str")
    is_real = words.str.fullmatch(_ISO_DATE) & pd.to_datetime(words, format="%Y-%m-%d", errors="coerce").notna()
    return pd.Series(np.append(is_real.to_numpy(bool), False)[codes], column.index)


def _key_faults(frame: pd.DataFrame, declared: Table) -> list[str]:
    """Return the rows whose key stands in an earlier row too."""
    if not declared.key or frame.empty:
        return []
    # two keys that could not be read are not the same
    is_known = frame[list(declared.key)].notna().all(axis=1).to_numpy()
    repeated = pd.Series(row_numbers(frame, declared.key)).duplicated() & is_known
    return [_at(frame, declared, i, "the key", "stands twice, expected once") for i in _rows(repeated)]


def _at(frame: pd.DataFrame, declared: Table, row: int, name: str, what: str) -> str:
    """Say where a fault stands: file and line if the row knows them, and its key."""
    record = frame.iloc[row]
    place = f"{record['file']} line {record['line']}: " if {"file", "line"} <= set(frame.columns) else ""
    known = [k for k in declared.key if k in frame.columns and pd.notna(record[k]) and record[k] != ""]
    key = ", ".join(f"{k} {_plain(record[k])}" for k in known)
    return f"{place}{name} {what} ({key or f'row {row + 1}'})"


def _kinds(declared: Table) -> dict[str, str]:
    return {n: _DTYPES[fields()[n].type][0 if n in declared.required else 1] for n in declared.columns}


def _with_dtypes(frame: pd.DataFrame, declared: Table) -> pd.DataFrame:
    texts = (pd.CategoricalDtype, pd.StringDtype)  # however they are stored
    wanted = _kinds(declared).items()
    return frame.astype({n: k for n, k in wanted if k != "str" or not isinstance(frame[n].dtype, texts)})


def _taken(frame: pd.DataFrame, order: np.ndarray) -> pd.DataFrame:
    """Return the rows in an order, numbered anew; rows that stand so already are not copied."""
    is_so = (np.diff(order) == 1).all()
    return (frame if is_so else frame.take(order)).reset_index(drop=True)


def _is_narrow(column: pd.Series) -> bool:
    """Tell whether whole numbers lie so near to each other that they number the rows themselves, as years do."""
    is_whole = isinstance(column.dtype, np.dtype) and column.dtype.kind in "iu" and len(column) > 0
    return is_whole and int(column.max()) - int(column.min()) < 1 << 31


def row_numbers(frame: pd.DataFrame, keys: Sequence[str]) -> np.ndarray:
    """Return one whole number for each row, equal where all keys are equal, in the order of the keys.

    Examples
    --------
    >>> row_numbers(pd.DataFrame({"a": ["y", "x", "y"], "b": [2020, 2021, 2020]}), ["a", "b"]).tolist()
    [2, 1, 2]
    """
    made = np.zeros(len(frame), "int64")
    for key in keys:
        column = frame[key]
        if isinstance(column.dtype, pd.CategoricalDtype) and column.cat.categories.is_monotonic_increasing:
            codes, count = column.cat.codes.to_numpy(), len(column.cat.categories)
        elif _is_narrow(column):
            codes = column.to_numpy("int64") - int(column.min())
            count = int(codes.max()) + 1
        else:
            codes, words = pd.factorize(column, sort=True, use_na_sentinel=False)
            count = len(words)
        if len(made) and int(made.max()) >= (1 << 62) // max(count, 1):
            made = pd.factorize(made, sort=True)[0].astype("int64")
        made = made * count + codes
    return made
