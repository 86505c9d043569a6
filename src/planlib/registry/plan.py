"""A plan as tables: what ``plan.yml`` says, checked."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from planlib import paths
from planlib.errors import UsageError
from planlib.registry.documents import Document, as_list, as_mapping, parsed, remembered, text_of
from planlib.registry.entries import Entries, Entry, collect
from planlib.registry.measures import check_measures, measured
from planlib.registry.rules import bounds_of, check_rules, check_version
from planlib.registry.shape import is_date
from planlib.registry.targets import parse_target

_LINKS = ("goal", "task", "box", "safeguard")

INDICATOR_COLUMNS = (
    "indicator_id", "number", "name_zh", "name_en", "dimension", "attribute", "goal", "reference", "reference_en",
)  # fmt: skip
SERIES_COLUMNS = (
    "series_id", "indicator_id", "number", "name_zh", "name_en", "unit", "stage", "dimension", "attribute",
    "direction", "judged", "kind", "baseline", "baseline_relation", "baseline_text", "target", "target_relation",
    "target_text", "precision", "baseline_as_of", "target_as_of", "lower_bound", "upper_bound", "source",
    "measure", *_LINKS, "reference", "reference_en", "note", "note_en",
)  # fmt: skip
COMMITMENT_COLUMNS = (
    "commitment_id", "name_zh", "name_en", "target", "relation", "target_text", "unit", "kind", "period", "due",
    *_LINKS, "reference", "reference_en", "measure", "note", "note_en",
)  # fmt: skip
FRAME_COLUMNS = ("frame_id", "kind", "number", "name_zh", "name_en", "reference", "reference_en")
BASE_COUNT_COLUMNS = (
    "count_id", "name_zh", "name_en", "value", "relation", "unit", "reference", "reference_en", "note", "note_en",
)  # fmt: skip
SUM_COLUMNS = ("total", "parts", "reference", "reference_en")
AMENDMENT_COLUMNS = (
    "series_id", "commitment_id", "target", "relation", "target_text", "date", "approval", "approval_en",
)  # fmt: skip
DISCREPANCY_COLUMNS = (
    "discrepancy_id", "series_id", "text", "table", "note", "note_en", "reference", "reference_en",
)  # fmt: skip

_NUMBERS = ("baseline", "target", "lower_bound", "upper_bound", "value")
_TYPES = {"number": "int64", "precision": "int64"} | dict.fromkeys(_NUMBERS, "float64")
_OBJECTS = ("measure", "parts")


@dataclass(frozen=True, eq=False)
class Plan:
    """A district's plan: baselines, targets and promises, each with the place it stands in.

    ``reference``, ``note`` and ``approval`` are in Chinese, the columns ``…_en`` in English. A link, stage
    or period that an entry does not have is missing (``isna``), a note it does not have is an empty text.

    Attributes
    ----------
    district : str
        Name of the folder.
    name, title : dict
        ``{"zh": …, "en": …}`` of the district and of the plan.
    period : dict
        ``baseline_year, first_year, last_year``.
    indicators : DataFrame
        One row per indicator: ``indicator_id, number, name_zh, name_en, dimension, attribute, goal, reference``.
    series : DataFrame
        One row per row of the plan's table: ``series_id, indicator_id, number, …, baseline, baseline_relation,
        baseline_text, target, target_relation, target_text, precision (decimals printed), …, lower_bound,
        upper_bound (NaN: none), source, measure (dict or None), goal, task, box, safeguard, reference, …``.
    commitments : DataFrame
        One row per promise: ``commitment_id, …, target, relation, target_text, unit, kind, period, due, goal,
        task, box, safeguard, reference, measure, note, …``.
    frame : DataFrame
        Goals, tasks, boxes, safeguards: ``frame_id, kind, number, name_zh, name_en, reference, …``.
    base_counts : DataFrame
        What the plan counts at its start: ``count_id, …, value, relation, unit, reference, …``.
    sums : DataFrame
        Totals with the list of their parts, checked: ``total, parts, reference, …``.
    amendments : DataFrame
        Targets changed on the way: ``series_id, commitment_id`` (one of them, the other None), ``target, relation,
        target_text, date, approval, approval_en``.
    discrepancies : DataFrame
        Where text and table of the plan disagree, one row per series.
    path : Path
        The file.
    document, boundary : dict
        Number, date and issuer of the document; the boundary of the base figures. May be empty.
    areas : dict
        An area as the returns call it → its name in English. May be empty.
    """

    district: str
    name: dict[str, str]
    title: dict[str, str]
    period: dict[str, int]
    indicators: pd.DataFrame
    series: pd.DataFrame
    commitments: pd.DataFrame
    frame: pd.DataFrame
    base_counts: pd.DataFrame
    sums: pd.DataFrame
    amendments: pd.DataFrame
    discrepancies: pd.DataFrame
    path: Path
    document: dict[str, Any]
    boundary: dict[str, str]
    areas: dict[str, str]

    def targets(self, on: str | None = None, of: str = "series") -> pd.DataFrame:
        """Return the original target of everything tracked, and the one in force on a date.

        Of several amendments the latest approved by that date counts. The end of a plan is judged against both.

        Parameters
        ----------
        on : str, optional
            ISO date; amendments approved later are unknown then. All of them by default.
        of : {"series", "commitments"}

        Returns
        -------
        DataFrame
            ``series_id`` or ``commitment_id``; ``original_target, original_relation, original_text``; ``target,
            relation, target_text`` (in force); ``amended_on, approval, approval_en`` (missing: not amended),
            ``is_amended``.

        Raises
        ------
        UsageError
            If ``on`` is no ISO date or ``of`` is neither of the two.
        """
        if on is not None and not is_date(on):
            raise UsageError(
                f"on={on!r} is no date, expected for example '2022-12-31'.\nTo do: write year-month-day."
            )
        if of not in ("series", "commitments"):
            raise UsageError(f"of={of!r}, expected 'series' or 'commitments'.\nTo do: pass one of the two.")
        key, relation = ("series_id", "target_relation") if of == "series" else ("commitment_id", "relation")
        table = getattr(self, of)[[key, "target", relation, "target_text"]]
        return _in_force(table.set_axis([key, *_ORIGINAL], axis=1), self.amendments, key, on)


_ORIGINAL = ("original_target", "original_relation", "original_text")


def _in_force(table: pd.DataFrame, amendments: pd.DataFrame, key: str, on: str | None) -> pd.DataFrame:
    known = amendments[amendments[key].notna()]
    if on is not None:
        known = known[known["date"] <= on]
    latest = known.sort_values("date", kind="stable").drop_duplicates(key, keep="last")
    latest = latest[[key, "target", "relation", "target_text", "date", "approval", "approval_en"]]
    joined = table.merge(latest.rename(columns={"date": "amended_on"}), on=key, how="left", validate="1:1")
    joined["is_amended"] = joined["target"].notna()
    for original, current in zip(_ORIGINAL, ("target", "relation", "target_text"), strict=True):
        joined[current] = joined[current].where(joined["is_amended"], joined[original])
    return joined


def load_plan(district: str, path: Path | str | None = None) -> Plan:
    """Read and check the plan of a district.

    Every fault of the file is named at once: unknown and missing keys, unknown codes, links and columns, duplicate
    ids, targets against their direction, sums that do not add up, parts of the frame without anything tracked.

    Parameters
    ----------
    district : str
        Name of a folder of ``data/raw``.
    path : Path or str, optional
        Another plan.yml to read for it.

    Returns
    -------
    Plan

    Raises
    ------
    UsageError
        If there is no such district.
    RegistryError
        If the file has faults: each with line, what was expected, what to do.
    """
    file = Path(path) if path is not None else paths.raw(district) / "plan.yml"
    return _checked(district, file, text_of(file, file.name))


@remembered
def _checked(district: str, file: Path, text: str) -> Plan:
    document = parsed(text, file.name, file)
    check_version(document)
    entries = collect(document)
    check_rules(document, entries)
    check_measures(document, entries)
    document.raise_faults()
    return _plan(district, file, document, entries)


def _plan(district: str, file: Path, document: Document, entries: Entries) -> Plan:
    data = document.data
    frame = [(kind, entry) for kind, group in entries.frame.items() for entry in group]
    return Plan(
        district=district,
        name=data["name"],
        title=data["title"],
        period=data["period"],
        indicators=_table(entries.indicators, _indicator_row, INDICATOR_COLUMNS),
        series=_series_table(entries),
        commitments=_table(entries.commitments, _commitment_row, COMMITMENT_COLUMNS),
        frame=_framed([_frame_row(kind, entry) for kind, entry in frame], FRAME_COLUMNS),
        base_counts=_table(entries.base_counts, _base_count_row, BASE_COUNT_COLUMNS),
        sums=_table(entries.sums, _sum_row, SUM_COLUMNS),
        amendments=_table(entries.amendments, _amendment_row, AMENDMENT_COLUMNS),
        discrepancies=_discrepancy_table(entries),
        path=file,
        document=dict(as_mapping(data.get("document"))),
        boundary=dict(as_mapping(data.get("boundary"))),
        areas={entry.data["name"]["zh"]: entry.data["name"]["en"] for entry in entries.areas},
    )


def _table(
    entries: list[Entry], row: Callable[[dict[str, Any], Entry], dict[str, Any]], columns: tuple[str, ...]
) -> pd.DataFrame:
    return _framed([{**_common(entry), **row(entry.data, entry)} for entry in entries], columns)


def _framed(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> pd.DataFrame:
    """Return the rows as a table whose types do not depend on what the file happens to hold."""
    table = pd.DataFrame(rows, columns=list(columns))
    return table.astype({name: _TYPES.get(name, "str") for name in columns if name not in _OBJECTS})


def _common(entry: Entry) -> dict[str, Any]:
    """Return the columns that every kind of entry may have, in both languages."""
    name, reference, note = (as_mapping(entry.data.get(key)) for key in ("name", "reference", "note"))
    return {
        "name_zh": name.get("zh"),
        "name_en": name.get("en"),
        "reference": reference.get("zh"),
        "reference_en": reference.get("en"),
        "note": note.get("zh", ""),
        "note_en": note.get("en", ""),
        **{key: entry.data.get(key) for key in (*_LINKS, "number", "unit")},
    }


def _indicator_row(data: dict[str, Any], entry: Entry) -> dict[str, Any]:
    return {"indicator_id": entry.id, "dimension": data["dimension"], "attribute": data["attribute"]}


def _series_table(entries: Entries) -> pd.DataFrame:
    # an indicator stands at the place its series stand below
    parents = {indicator.where: indicator for indicator in entries.indicators}
    rows = []
    for entry in entries.series:
        parent = parents[entry.where[:2]]
        row = _series_row(entry.data, entry)
        row |= {"indicator_id": parent.id, **{key: parent.data[key] for key in ("dimension", "attribute")}}
        rows.append({**_common(entry), **row, "goal": entry.data.get("goal", parent.data.get("goal"))})
    return _framed(rows, SERIES_COLUMNS)


def _series_row(data: dict[str, Any], entry: Entry) -> dict[str, Any]:
    baseline, target = parse_target(data["baseline"]), parse_target(data["target"])
    lowest, highest = bounds_of(data)
    return {
        "series_id": entry.id,
        **{key: data[key] for key in ("direction", "judged", "kind", "baseline_as_of", "target_as_of", "source")},
        "stage": data.get("stage"),
        "baseline": baseline.value,
        "baseline_relation": baseline.relation,
        "baseline_text": data["baseline"],
        "target": target.value,
        "target_relation": target.relation,
        "target_text": data["target"],
        # the finer of the two prints: 4.6 is not yet the 5 of "4.2 to 5"
        "precision": max(baseline.precision, target.precision),
        "lower_bound": lowest,
        "upper_bound": highest,
        "measure": measured(entry),
    }


def _commitment_row(data: dict[str, Any], entry: Entry) -> dict[str, Any]:
    target = parse_target(data["target"])
    return {
        "commitment_id": entry.id,
        "target": target.value,
        "relation": target.relation,
        "target_text": data["target"],
        "kind": data["kind"],
        "period": data.get("period"),
        "due": data["due"],
        "measure": measured(entry),
    }


def _frame_row(kind: str, entry: Entry) -> dict[str, Any]:
    return {**_common(entry), "frame_id": entry.id, "kind": kind}


def _base_count_row(data: dict[str, Any], entry: Entry) -> dict[str, Any]:
    return {"count_id": entry.id, "value": float(data["value"]), "relation": data.get("relation", "=")}


def _sum_row(data: dict[str, Any], _entry: Entry) -> dict[str, Any]:
    return {"total": data["total"], "parts": as_list(data["parts"])}


def _amendment_row(data: dict[str, Any], _entry: Entry) -> dict[str, Any]:
    target = parse_target(data["target"])
    return {
        "series_id": data.get("series"),
        "commitment_id": data.get("commitment"),
        "target": target.value,
        "relation": target.relation,
        "target_text": data["target"],
        "date": data["date"],
        "approval": data["approval"]["zh"],
        "approval_en": data["approval"]["en"],
    }


def _discrepancy_table(entries: Entries) -> pd.DataFrame:
    rows = [
        {
            **_common(entry),
            "discrepancy_id": entry.id,
            "series_id": series,
            **{k: entry.data[k] for k in ("text", "table")},
        }
        for entry in entries.discrepancies
        for series in entry.data["series"]
    ]
    return _framed(rows, DISCREPANCY_COLUMNS)
