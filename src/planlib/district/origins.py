"""Where a number comes from: any cell of any frame of a district, back to the cells of raw files.

One mechanism for a researcher's frame and for a table of a published report: the columns that identify a row
(``school_id``, ``series_id``, ``commitment_id``, ``project_id``, ``resource``, ``item`` …) say which way to go.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from planlib import measures, paths, schema
from planlib.district.known import Known
from planlib.errors import UsageError
from planlib.registry.documents import did_you_mean
from planlib.registry.shape import is_date
from planlib.standard import plant_shares

if TYPE_CHECKING:
    from planlib.clean.words.forms import Unit

Row = Mapping[str, Any]

CELLS = ["school_id", "stage", "year", "column", "value", "file", "sheet", "cell", "raw", "step"]
_KEY = ["school_id", "stage", "year"]
_FORM_KEY = ("school_id", "year", "form", "row_label", "column_label")
_PRINTED = re.compile(r"baseline|target(_text)?|relation|amended.*|due")
_AHEAD = re.compile(
    r"median.*|lower_\d+|upper_\d+|naive.*|probability|outlook|.*skill|values|cautious|likely|ambitious"
)
_OF_YEAR = re.compile(r"(?:([a-z]+)_)?(\d{4})")


@dataclass(frozen=True)
class Origin:
    """Where a number comes from.

    Attributes
    ----------
    column : str
    value : Any
        As the frame had it; None where it was not given.
    how : sequence of (code, values)
        How it is computed, step by step: codes of the group ``origin`` in ``definitions/narrative.yml``.
    cells : DataFrame
        The cells of raw files it rests on: ``school_id, stage, year, column, value, file, sheet, cell, raw, step``.
    """

    column: str
    value: Any
    how: Sequence[tuple[str, Mapping[str, Any]]]
    cells: pd.DataFrame = field(repr=False)


def origin(place: Known, rows: Row | pd.Series | pd.DataFrame, column: str) -> Origin:
    """Return where a value of a row comes from; see `planlib.district.District.origin`."""
    if isinstance(rows, pd.DataFrame):
        found = [origin(place, row, column) for row in rows.to_dict("records")]
        if not found:
            raise UsageError("No row to trace.\nTo do: choose at least one row of the frame.")
        value = found[0].value if len(found) == 1 else None
        how = list({str(step): step for one in found for step in one.how}.values())
        return Origin(column, value, how, pd.concat([one.cells for one in found], ignore_index=True))
    row = _present(rows)
    for keys, way in _WAYS:
        if set(keys) <= set(row):
            how, cells = way(place, row, column)
            return Origin(column, row.get(column), how, cells.reset_index(drop=True))
    known = "; ".join(", ".join(keys) for keys, _ in _WAYS)
    raise UsageError(
        f"The row has none of the keys that lead to a raw file; it has {', '.join(row)}.\n"
        f"To do: keep one of these columns in the frame: {known}."
    )


def _present(row: Row | pd.Series) -> dict[str, Any]:
    return {str(key): value for key, value in dict(row).items() if not _is_missing(value)}


def is_traceable(row: Row) -> bool:
    """Tell whether a row has keys that lead to a raw file; one that only counts other rows has none."""
    return any(set(keys) <= set(_present(row)) for keys, _ in _WAYS)


def select_rows(place: Known, table: str, words: Sequence[str]) -> pd.DataFrame:
    """Return the rows of a processed table whose key holds every word.

    Parameters
    ----------
    place : Known
    table : str
        ``schools``, ``observations``, ``enrolment``, ``births``, ``milestones``, ``projects``, ``finance``,
        ``form_cells``.
    words : sequence of str
        Values of key columns, in any order: ``["2022", "S0124"]``; of `form_cells` school, year, form and labels too.

    Raises
    ------
    UsageError
        If there is no such table or row; says what there is.
    """
    known = [*place.tables, "form_cells"]
    if table not in known:
        raise UsageError(f"Unknown table {table!r}.\nTo do: {did_you_mean(table, known)}")
    is_form = table == "form_cells"
    rows = place.form_cells if is_form else place.tables[table]
    keys = (*_FORM_KEY, *schema.TABLES[table].key) if is_form else schema.TABLES[table].key
    for word in words:
        holds = (rows[list(keys)].astype("str") == str(word)).any(axis=1)
        if not holds.any():
            there = "; ".join(f"{key} {_some(rows[key])}" for key in keys) if len(rows) else "no row at all"
            raise UsageError(
                f"No row of {table} with {' '.join(map(str, words))}: nothing has {word}.\n"
                f"There is: {there}.\nTo do: name {', '.join(keys)} of a row."
            )
        rows = rows[holds]
    return rows


def _some(values: pd.Series) -> str:
    names = sorted(values.astype("str").unique())
    return ", ".join(names[:8]) + (f" … ({len(names)})" if len(names) > 8 else "")


def _is_missing(value: Any) -> bool:
    return value is None or value is pd.NA or value == "" or (isinstance(value, float) and value != value)


# ---- cells


def _cells_of(place: Known, rows: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return the cells of some columns of the table of schools, for rows given by their key."""
    keys = rows[_KEY].drop_duplicates()
    lineage = place.lineage
    values, parts = place.schools.set_index(_KEY, drop=False), []
    for name in columns:
        born = lineage[lineage["column"] == name].merge(keys, on=_KEY)
        at = pd.MultiIndex.from_frame(born[_KEY])
        parts.append(
            born.assign(value=values[name].astype("object").reindex(at).to_numpy()) if len(born) else born
        )
    born = pd.concat(parts, ignore_index=True).reindex(columns=CELLS)
    return born[CELLS]


def _lines_of(place: Known, rows: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return the cells of some columns of CSV files, with the text as it stands in the file."""
    from planlib.clean.files.read import read_csv
    from planlib.clean.words.headers import header_at, read_header, unit_of

    parts = []
    for file, group in rows.groupby("file", sort=False):
        texts, lines, _ = read_csv((paths.raw(place.name) / str(file)).read_bytes())
        table = str(file).removesuffix(".csv")
        at, top = dict(zip(lines, texts, strict=True)), header_at(table, texts)
        heads = read_header(table, texts[top], [text for row in texts[:top] for text in row])
        header = [head.column for head in heads]
        for name in columns:
            raw = [at[line][header.index(name)] if name in header else "" for line in group["line"]]
            keys = group.reindex(columns=_KEY).astype("object")
            part = keys.where(keys.notna(), "").assign(
                column=name, value=group[name], file=file, sheet="", raw=raw
            )
            units = [unit_of(heads, at[line], name) for line in group["line"]]
            told = zip(group["line"], group[name], raw, units, strict=True)
            steps = [_line_step(place, str(file), *one) for one in told]
            parts.append(part.assign(cell=[f"line {line}" for line in group["line"]], step=steps))
    kept = [part.astype("object")[CELLS] for part in parts if len(part)]
    return pd.concat(kept, ignore_index=True) if kept else pd.DataFrame(columns=CELLS)


def _line_step(place: Known, file: str, line: int, value: Any, raw: str, unit: "Unit") -> str:
    """Return what was done to a value of a CSV file, the correction of its line included."""
    from planlib.clean.words.convert import number_step, unit_step

    issues = place.issues
    is_here = (
        (issues["issue_kind"] == "correction") & (issues["file"] == file) & (issues["cell"] == f"line {line}")
    )
    said = raw.strip()
    if is_date(said):
        step = "date" if said <= str(place.cutoff) else "date later than the cutoff, not used"
    else:
        step = "text" if isinstance(value, str) else f"{number_step(said)}{unit_step(unit)}"
    return "; ".join([step if said else "", *issues.loc[is_here, "done"]])


def _printed(row: pd.Series, column: str) -> pd.DataFrame:
    text = {"baseline": "baseline_text", "target": "target_text"}.get(column, "target_text")
    raw = row[text]
    cell = {
        "column": column,
        "value": row.get(column, raw),
        "file": "plan.yml",
        "cell": row["reference"],
        "raw": raw,
    }
    return pd.DataFrame([dict.fromkeys(CELLS, "") | cell])


# ---- ways: what identifies a row → how its value came to be


def _of_school(place: Known, row: Row, column: str) -> Any:
    """A school's own figure, or one of its resources as the standard counts them."""
    year = int(row.get("year", place.last_year))
    rows = place.schools[(place.schools["school_id"] == row["school_id"]) & (place.schools["year"] == year)]
    rows = rows[rows["stage"] == row["stage"]] if "stage" in row else rows
    is_derived = "resource" in row or column in set(place.standard.resources) - set(place.schools)
    if is_derived:
        resource = str(row.get("resource", column))
        # the standard shares a school's plant by the pupils of all its stages
        return [("resource", {"resource": resource})], _resource_cells(place, rows, [resource])
    cells = _cells_of(place, rows, [column])
    if cells.empty:
        lineage = place.lineage
        known = lineage[(lineage["school_id"] == row["school_id"]) & (lineage["year"] == year)]
        there = ", ".join(sorted(known["column"].unique())) or "nothing of this school and year"
        raise UsageError(
            f"No value schools {year} {row['school_id']} {column} with a birthplace.\nThere is: {there}.\n"
            "To do: check the spelling; blank cells have no birthplace."
        )
    return [("cell", {})], cells


def _raw_columns(resource: str) -> list[str]:
    if resource == "sports_area_m2":
        return ["sports_ground_m2", "gym_area_m2"]
    return [resource, "gym_area_m2"] if resource == "teaching_area_m2" else [resource]


def _resource_cells(place: Known, rows: pd.DataFrame, resources: Sequence[str]) -> pd.DataFrame:
    """Return the raw cells of resources and pupils; a stage's share of its school's plant is a step of its own."""
    columns = list(dict.fromkeys([c for r in resources for c in _raw_columns(r)] + ["students"]))
    cells = _cells_of(place, rows, columns)
    shares = plant_shares(place.schools, place.standard).set_index(_KEY)["share"]
    shared = {c for r in resources if r in place.standard.shared for c in _raw_columns(r)}
    keys = list(cells[_KEY].itertuples(index=False, name=None))
    part = pd.Series([float(shares.get(key, 1.0)) for key in keys], index=cells.index, dtype="float64")
    is_split = cells["column"].isin(shared) & (part < 1 - 1e-12)
    split = cells["step"] + part.map("; × {:.4g}, the stage's share of the school".format)
    return cells.assign(step=cells["step"].mask(is_split, split))


def _of_series(place: Known, row: Row, column: str) -> Any:
    series = place.plan.series.set_index("series_id").loc[row["series_id"]]
    if _PRINTED.fullmatch(column):
        return [("printed", {"reference": series["reference"], "reference_en": series["reference_en"]})], _printed(
            series, column
        )
    seen = place.observations[place.observations["series_id"] == row["series_id"]]
    if "as_of" in row:
        seen = seen[seen["as_of"] <= str(row["as_of"])]
    if seen.empty:
        raise UsageError(f"Nothing is known of the series {row['series_id']} up to {place.cutoff}.")
    how: list[tuple[str, Mapping[str, Any]]] = [("series", dict(series[["number", "name_zh", "name_en"]]))]
    if _AHEAD.fullmatch(column):
        how.append(("forecast", {"count": len(seen), "first": seen["year"].min(), "last": seen["year"].max()}))
    else:
        found = _OF_YEAR.fullmatch(column)
        year = int(found[2]) if found else seen["year"].iloc[-1]
        seen = seen[seen["year"] == year].tail(1)
        how += [] if column == "value" or found else [("judged", {"column": column})]
    more, cells = _observed(place, seen, series)
    return how + more, cells


def _observed(place: Known, seen: pd.DataFrame, series: pd.Series) -> Any:
    """Return how observations of a series were made, and the cells they rest on."""
    if (seen["origin"] == "reported").all():
        lines = place.tables["observations"]
        lines = lines[(lines["series_id"] == series.name) & lines["as_of"].isin(seen["as_of"])]
        return [("reported", {})], _lines_of(place, lines, ["value"])
    how = [("observed", {"year": int(r.year), "value": r.value}) for r in seen.itertuples()]
    measure, years = series["measure"], seen["year"].tolist()
    return [("measure", {"measure": measure}), *how], _measured(place, measure, years)


def _measured(place: Known, measure: Mapping[str, Any], years: Sequence[int]) -> pd.DataFrame:
    """Return the cells of the table of schools that a measure of the plan reads in some years."""
    if "composite" in measure:
        return _counting(place, measure["composite"], years, place.standard.resources)
    schools = place.schools[place.schools["year"].isin(list(years))]
    parts = []
    sides = ((measure.get("sum", measure.get("count")), "where"), (measure.get("over"), "over_where"))
    for what, where in [(str(what), where) for what, where in sides if what]:
        rows = schools[measures.select(schools, measure.get(where, {}))]
        if what == "schools" or measure.get("per") == "school":
            rows = rows.drop_duplicates(["school_id", "year"])
        # a count rests on what its schools answered
        asked = [name for name in measure.get("where", {}) if name not in ("stage", "school_type")]
        parts.append(_cells_of(place, rows, [what] if what in schools else asked))
    return pd.concat(parts, ignore_index=True).drop_duplicates(["file", "sheet", "cell", "school_id", "stage"])


def _counting(place: Known, stage: str, years: Sequence[int], resources: Sequence[str]) -> pd.DataFrame:
    rows = place.stage_resources
    return _resource_cells(place, rows[(rows["stage"] == stage) & rows["year"].isin(list(years))], list(resources))


def _of_commitment(place: Known, row: Row, column: str) -> Any:
    promise = place.plan.commitments.set_index("commitment_id").loc[row["commitment_id"]]
    if _PRINTED.fullmatch(column):
        return [("printed", dict(promise[["reference", "reference_en"]]))], _printed(promise, column)
    measure, until = promise["measure"], str(row.get("as_of", place.cutoff))
    how: list[tuple[str, Mapping[str, Any]]] = [("promise", dict(promise[["name_zh", "name_en"]]))]
    if not isinstance(measure, Mapping) or not measure:
        lines = place.tables["milestones"]
        lines = lines[(lines["commitment_id"] == row["commitment_id"]) & (lines["date"] <= until)]
        return [*how, ("milestone", {})], _lines_of(place, lines.sort_values("date").tail(1), ["achieved"])
    if "series" in measure:
        more, cells = _of_series(place, {"series_id": measure["series"], "as_of": until}, "value")
        if "change" not in measure:
            return how + more, cells
        before = {"series_id": measure["series"], "as_of": f"{int(until[:4]) - 1}-12-31"}
        earlier, older = _of_series(place, before, "value")
        return [*how, ("change", {}), *more, earlier[-1]], pd.concat([cells, older], ignore_index=True)
    if "projects" in measure:
        ledger, step = place.tables["projects"], measure["projects"]
        lines = ledger[measures.select(ledger, measure.get("where", {})) & (ledger[step].fillna("") != "")]
        lines = lines[lines[step] <= until]
        return [*how, ("projects", {"step": step, "count": len(lines)})], _lines_of(
            place, lines, [step, *([measure["sum"]] if "sum" in measure else [])]
        )
    if "finance" in measure:
        items = [measure["finance"], *([measure["over"]] if "over" in measure else [])]
        years = [int(until[:4]) - 1, int(until[:4])] if "change" in measure else [int(until[:4])]
        how += [("change", {})] if "change" in measure else []
        return [*how, ("accounts", {})], _accounts(place, items, years)
    return [*how, ("measure", {"measure": measure})], _measured(place, measure, [int(until[:4])])


def _of_project(place: Known, row: Row, column: str) -> Any:
    lines = place.tables["projects"]
    lines = lines[lines["project_id"] == row["project_id"]]
    if column in lines:
        return [("line", {})], _lines_of(place, lines, [column])
    # what is written in 万元, or expected from the steps so far
    sources = ["investment_yuan"] if column == "investment" else ["approved", "started", "completed"]
    return [("ledger", {"column": column})], _lines_of(place, lines, sources)


def _of_accounts(place: Known, row: Row, column: str) -> Any:
    year, item = int(row["year"]), str(row["item"])
    years = [year - 1] if column == "previous" and item != "teacher_pay_yuan" else [year]
    items = ["civil_servant_pay_yuan"] if column == "previous" and item == "teacher_pay_yuan" else [item]
    cells = _accounts(place, items, years)
    if len(cells):
        return [("accounts", {})], cells
    parts = [_accounts(place, ["education_expenditure_yuan"], years), _measured(place, {"sum": "students"}, years)]
    return [("per_pupil", {})], pd.concat([part.astype("object") for part in parts], ignore_index=True)


def _accounts(place: Known, items: Sequence[str], years: Sequence[int]) -> pd.DataFrame:
    lines = place.tables["finance"]
    lines = lines[lines["item"].isin(list(items)) & lines["year"].isin(list(years))].sort_values("as_of")
    return _lines_of(place, lines.drop_duplicates(["item", "year"], keep="last"), ["value"])


def _of_coefficient(place: Known, row: Row, column: str) -> Any:
    """A coefficient of variation: of the row's own stage and year, or of those that the column names."""
    named = _OF_YEAR.fullmatch(column)
    stage = (named[1] if named else None) or row.get("stage")
    year = int(named[2]) if named else int(row.get("year", place.last_year))
    if stage is None or stage not in place.standard.thresholds:
        raise UsageError(
            f"The column {column} of {row['resource']} names no stage and year.\n"
            "To do: trace a column such as primary_2020, or a row with stage and year."
        )
    resource = str(row["resource"])
    resources = place.standard.resources if resource == "composite" else [resource]
    cells = _counting(place, str(stage), [year], list(resources))
    code = "composite" if resource == "composite" else "coefficient"
    about = {"resource": resource, "stage": stage, "year": year, "count": cells["school_id"].nunique()}
    if resource == "composite":
        seven = place.balance[(place.balance["stage"] == stage) & (place.balance["year"] == year)]
        seven = seven[seven["resource"].isin(list(resources))]
        about["parts"] = dict(zip(seven["resource"], seven["cv"], strict=True))
    return [(code, about), *[("resource", {"resource": r}) for r in resources if len(resources) == 1]], cells


def _of_places(place: Known, row: Row, column: str) -> Any:
    """Children and places of an area and stage: counted in returns, or projected from them."""
    area, stage, year = str(row["area"]), str(row["stage"]), int(row["year"])
    schools = place.schools[(place.schools["area"] == area) & (place.schools["stage"] == stage)]
    parts, how = [], []
    if column in ("seats", "balance", "shortage"):
        parts.append(_cells_of(place, schools[schools["year"] == place.last_year], ["capacity_students"]))
        ledger = place.tables["projects"]
        parts.append(_lines_of(place, ledger[ledger["area"] == area], ["seats"]))
        how.append(("places", {"year": place.last_year}))
    if column != "seats":
        lines = place.tables["enrolment"]
        lines = lines[(lines["area"] == area) & (lines["stage"] == stage)]
        last = int(lines["year"].max())
        how.append(("counted", {}) if year <= last else ("projected", {"last": last, "year": year}))
        chosen = lines["year"] == year if year <= last else lines["year"] > last - 3
        births = place.tables["births"]
        parts.append(_lines_of(place, lines[chosen], ["students"]))
        if year > last:
            parts.append(_lines_of(place, births[births["area"] == area], ["births"]))
    return how, pd.concat([part.astype("object") for part in parts], ignore_index=True)


def _of_stage(place: Known, row: Row, column: str) -> Any:
    lines = place.tables["enrolment"]
    lines = lines[(lines["stage"] == row["stage"]) & (lines["year"] == int(row["year"]))]
    if lines.empty or column != "students":
        raise UsageError(
            f"No {column} by grade of {row['stage']} {row['year']} was counted: it is projected, or not there."
        )
    return [("counted", {})], _lines_of(place, lines, ["students"])


def _of_kind(place: Known, row: Row, column: str) -> Any:
    ledger = place.tables["projects"]
    lines = ledger[ledger["kind"] == row["kind"]]
    steps = [column] if column in lines else ["approved", "started", "completed", "handed_over", "opened"]
    return [("project_count", {"column": column, "count": len(lines)})], _lines_of(place, lines, steps)


def _of_form(place: Known, row: Row, column: str) -> Any:
    """A figure of a national form that no column needs: its row says itself where it stands."""
    rows, sheet = place.form_cells, row.get("sheet", "")  # a CSV file has no sheets
    rows = rows[(rows["file"] == row["file"]) & (rows["sheet"] == sheet) & (rows["cell"] == row["cell"])]
    if rows.empty or column not in rows:
        raise UsageError(
            f"No {column} in {row['file']}, {sheet}, {row['cell']} among the figures of the forms.\n"
            "To do: take a row of form_cells, and the column value or raw."
        )
    step = ["number" if is_number else "" for is_number in rows["value"].notna()]
    return [("cell", {})], rows.assign(stage="", column=column, value=rows[column], step=step)[CELLS]


def _of_line(place: Known, row: Row, column: str) -> Any:
    table = str(row["file"]).removesuffix(".csv")
    lines = place.tables[table]
    return [("line", {})], _lines_of(place, lines[lines["line"] == int(row["line"])], [column])


_WAYS: Sequence[tuple[tuple[str, ...], Callable[[Any, Row, str], Any]]] = (
    (("file", "line"), _of_line),
    (("commitment_id",), _of_commitment),
    (("series_id",), _of_series),
    (("project_id",), _of_project),
    (("file", "cell", "form"), _of_form),
    (("school_id",), _of_school),
    (("item", "year"), _of_accounts),
    (("resource",), _of_coefficient),
    (("area", "stage", "year"), _of_places),
    (("stage", "year"), _of_stage),
    (("kind",), _of_kind),
)
