"""Cells of many workbooks to values: whose stage, what a blank means, what is missing, twice or wrongly summed."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from planlib.clean.correct import Corrections
from planlib.clean.forms import Form
from planlib.clean.issues import Issue
from planlib.clean.national import load_national

# Sums of measured figures are compared up to what printing them to two decimals may change.
_TOTAL_TOLERANCE = 1e-6
_ONE_ROW = "one row for each school and year"
_KEPT_ONCE = "the same figures: kept once"
_PLACE = ["file", "sheet", "row", "school_id", "year"]
_SCHOOL = ["file", "school_id", "year"]


def with_years(cells: pd.DataFrame, sheets: pd.DataFrame) -> tuple[pd.DataFrame, list[Issue]]:
    """Give every cell the school year of its workbook.

    A sheet without a year in its title takes that of the workbook's other sheets, if they agree.

    Parameters
    ----------
    cells, sheets : DataFrame
        Of all workbooks, with ``file``.

    Returns
    -------
    (DataFrame, list of Issue)
        Cells with ``year`` (0 where there is none: then there is an error too).
    """
    tables = sheets[sheets["schools"] > 0]
    said = tables.groupby("file", sort=False)["year"].agg(["min", "max"])
    clear = said["min"] == said["max"]
    years = said["min"][clear.fillna(False)].astype("int64")
    # A school's workbook has said so itself.
    sheeted = tables[tables["form"] == ""]
    without = said.index.difference(years.index).intersection(sheeted["file"])
    issues = [_without_year(tables[tables["file"] == file]) for file in without]
    untitled = tables[tables["year"].isna() & tables["file"].isin(years.index)]
    issues += [
        _issue("warning", "title", row, found="no school year in the sheet", done="year of the other sheets taken")
        for row in untitled.assign(cell="", school_id="", column="", year=untitled["file"].map(years)).to_dict(
            "records"
        )
    ]
    codes, files = pd.factorize(cells["file"])
    return cells.assign(year=years.reindex(files, fill_value=0).to_numpy()[codes]), issues


def _without_year(sheets: pd.DataFrame) -> Issue:
    first = sheets.iloc[0]
    found = " and ".join(map(str, sheets["year"].dropna().unique())) or "no school year above the header"
    where = {"file": first["file"], "sheet": first["sheet"], "cell": first["title_cell"]}
    return Issue("error", "title", **where, found=found, expected="one school year in the workbook")


def unreadable(cells: pd.DataFrame, form: Form) -> list[Issue]:
    """Return an error for every cell that could not be read, or is empty and must not be."""
    live = cells[~cells["is_dropped"]]
    wrong = live[live["state"] == "unreadable"]
    wrong = wrong[(wrong["kind"] == "value") | _is_numeric(wrong["column"], form)]
    needed = [name for name, column in form.columns.items() if column.blank == "error"]
    empty = live[
        (live["kind"] == "value") & live["state"].isin(["blank", "not_applicable"]) & live["column"].isin(needed)
    ]
    return list(_at(wrong, "unreadable value", "step")) + list(_at(empty, "empty value"))


def _is_numeric(columns: pd.Series, form: Form) -> pd.Series:
    names = [name for name, column in form.columns.items() if column.type in ("count", "quantity")]
    return columns.isin(names)


def _at(cells: pd.DataFrame, kind: str, expected: str = "") -> Iterator[Issue]:
    """Yield an error for each cell, `expected` naming the column that says what was expected."""
    for row in cells.to_dict("records"):
        wanted = row[expected] if expected else f"a {row['column']}"
        yield _issue("error", kind, row, found=repr(row["raw"]) if row["raw"] else "", expected=wanted)


def _issue(level: str, kind: str, cell: dict, **said: str) -> Issue:
    where = {key: str(cell[key]) for key in ("file", "sheet", "cell")}
    year = str(cell["year"]) if cell["year"] else ""
    return Issue(level, kind, **where, school=cell["school_id"], year=year, subject=cell["column"], **said)


def with_stages(cells: pd.DataFrame, form: Form) -> tuple[pd.DataFrame, list[Issue]]:
    """Give every cell of a school its type, and every figure by stage its stage.

    A stage stands in the header above a column; where it does not, the school's type must have one stage only.

    Returns
    -------
    (DataFrame, list of Issue)
        Values only (no totals), with ``school_type``; figures of stages that a type does not have are left out
        where they are blank or 0, and are errors otherwise.
    """
    values = cells[(cells["kind"] == "value") & ~cells["is_dropped"] & (cells["school_id"] != "")]
    types = values[(values["column"] == "school_type") & (values["text"] != "")]
    type_of = types.drop_duplicates(["file", "school_id"]).set_index(["file", "school_id"])["text"]
    keys = pd.MultiIndex.from_frame(values[["file", "school_id"]])
    values["school_type"] = type_of.reindex(keys).fillna("").to_numpy()
    values = _typed_elsewhere(values, types)
    issues = list(_untyped(values))
    by_stage = values["column"].isin([name for name, c in form.columns.items() if c.level == "stage"])
    single = {t: stages[0] for t, stages in form.stages_of_type.items() if len(stages) == 1}
    values["stage"] = values["stage"].where(
        ~by_stage | (values["stage"] != ""), values["school_type"].map(single).fillna("")
    )
    typed = values["school_type"] != ""
    issues += list(_unstaged(values[by_stage & typed & (values["stage"] == "")], "a stage in the header above"))
    misplaced = values[~by_stage & (values["stage"] != "")].drop_duplicates(["file", "sheet", "position"])
    issues += list(_unstaged(misplaced, "one figure for the whole school"))
    foreign = by_stage & (values["stage"] != "") & typed & ~_has_stage(values, form)
    issues += [
        _issue("error", "stage", row, found=repr(row["raw"]), expected=f"nothing: a {row['school_type']} school")
        for row in values[foreign & (values["number"].fillna(0) != 0)].to_dict("records")
    ]
    return values[~foreign & typed & ((values["stage"] != "") == by_stage)], issues


def _typed_elsewhere(values: pd.DataFrame, types: pd.DataFrame) -> pd.DataFrame:
    """Give the schools of a file that names no type the one another file of that year names."""
    without = values["school_type"] == ""
    if not without.any():
        return values
    year_types = types.drop_duplicates(["year", "school_id"]).set_index(["year", "school_id"])["text"]
    found = year_types.reindex(pd.MultiIndex.from_frame(values[["year", "school_id"]])).fillna("").to_numpy()
    return values.assign(school_type=values["school_type"].mask(without, pd.Series(found, values.index)))


def _has_stage(values: pd.DataFrame, form: Form) -> pd.Series:
    pairs = {f"{t}/{stage}" for t, stages in form.stages_of_type.items() for stage in stages}
    return (values["school_type"] + "/" + values["stage"]).isin(pairs)


def _untyped(values: pd.DataFrame) -> Iterator[Issue]:
    rows = values[values["school_type"] == ""]
    unread = rows[(rows["column"] == "school_type") & (rows["state"] == "unreadable")]  # said already
    said = pd.MultiIndex.from_frame(unread[["file", "school_id"]])
    rows = rows[~pd.MultiIndex.from_frame(rows[["file", "school_id"]]).isin(said)]
    rows = rows.drop_duplicates(["file", "school_id"])
    for row in rows.to_dict("records"):
        expected = "the school's type somewhere in the workbook"
        yield _issue("error", "school type", row, found=row["school_id"], expected=expected)


def _unstaged(cells: pd.DataFrame, expected: str) -> Iterator[Issue]:
    for row in cells.drop_duplicates(["file", "sheet", "position"]).to_dict("records"):
        yield _issue("error", "stage", row, found=row["column"], expected=expected)


def summed(values: pd.DataFrame, form: Form) -> pd.DataFrame:
    """Add the parts of a figure: the degrees above the required one, the courses of sports and arts.

    Parameters
    ----------
    values : DataFrame
        With ``part`` 1 for a cell that is only a part (2 is a row of one stage of a school).
    form : Form

    Returns
    -------
    DataFrame
        One row for all parts of a figure: its ``cell`` and ``raw`` are theirs, joined by ``+``. Of truth values it is
        whether any is true; parts that say nothing count nothing.
    """
    is_part = values["part"] == 1
    if not is_part.any():
        return values
    parts = values[is_part]
    keys = ["file", "sheet", "school_id", "year", "column", "stage"]
    grouped = parts.groupby(keys, sort=False)
    first = parts.drop_duplicates(keys).set_index(keys)
    order = parts["state"].map({"value": 0, "blank": 1, "not_applicable": 2})
    best = parts.assign(order=order).sort_values("order", kind="stable").drop_duplicates(keys).set_index(keys)
    is_true = first.index.get_level_values("column").isin(
        [n for n, c in form.columns.items() if c.type == "boolean"]
    )
    counts = grouped.size()
    made = first.assign(
        number=grouped["number"].sum(min_count=1).where(~is_true, grouped["number"].max()),
        cell=grouped["cell"].agg("+".join),
        raw=grouped["raw"].agg("+".join),
        state=best["state"],
        step=best["step"] + ("; sum of " + counts.astype("str") + " cells").where(counts > 1, ""),
        part=0,
    )
    return pd.concat([values[~is_part], made.reset_index()[values.columns]], ignore_index=True)


def with_blanks(values: pd.DataFrame, form: Form) -> pd.DataFrame:
    """Give blank cells what the form says they mean (0, false, empty text), and leave the others out."""
    rules = values["column"].map({name: column.blank for name, column in form.columns.items()})
    is_boolean = values["column"].isin([name for name, c in form.columns.items() if c.type == "boolean"])
    blank = values["state"] == "blank"
    zero = blank & (rules == "zero")
    meant = zero | (blank & (rules == "empty"))
    result = values.assign(is_blank=blank, number=values["number"].mask(zero, 0.0))
    said = np.select([is_boolean, zero], ["blank → false", "blank → 0"], "blank → no text").astype(object)
    # few blank cells have been corrected: only to those is anything added
    corrected = (meant & (values["step"] != "")).to_numpy()
    said[corrected] = values["step"].to_numpy()[corrected] + "; " + said[corrected]
    result["step"] = pd.Series(np.where(meant, said, values["step"]), values.index, dtype="str")
    return result[meant | (values["state"] == "value")]


def without_idle_stages(values: pd.DataFrame) -> tuple[pd.DataFrame, list[Issue]]:
    """Leave out a stage of a school for which its workbook has nothing but blank cells.

    A school that fills none of its stages keeps them all, with a warning.
    """
    by_stage = values[values["stage"] != ""]
    keys = ["school_id", "year", "stage"]
    idle = by_stage.groupby(keys)["is_blank"].all()
    empty_school = idle.groupby(["school_id", "year"]).transform("all")
    left_out = idle.index[idle & ~empty_school]
    at = pd.MultiIndex.from_frame(values[keys])
    said = [(*key, "note", "the stage is left out") for key in left_out]
    said += [(*key, "warning", "kept, with 0 or nothing") for key in idle.index[idle & empty_school]]
    first = by_stage.drop_duplicates(keys).set_index(keys) if said else by_stage
    issues = [
        _issue(
            level,
            "stage",
            {**first.loc[(s, y, t)].to_dict(), "school_id": s, "year": y, "cell": ""},
            found=f"no figure for the stage {t}",
            done=done,
        )
        for s, y, t, level, done in said
    ]
    return values[~at.isin(left_out)], issues


def silent_stages(cells: pd.DataFrame, values: pd.DataFrame) -> tuple[pd.DataFrame, list[Issue]]:
    """Return the stages of schools all of whose figures are marked as not applicable, with a warning for each.

    Such a school is there, but nothing is known of it: it keeps its rows, without figures.

    Parameters
    ----------
    cells : DataFrame
        Cells with stages, of every state (`with_stages`).
    values : DataFrame
        What is left of them as values.

    Returns
    -------
    (DataFrame, list of Issue)
        ``school_id, stage, year``.
    """
    keys = ["school_id", "year"]
    known = pd.MultiIndex.from_frame(values.loc[values["stage"] != "", keys])
    starred = cells[(cells["stage"] != "") & (cells["state"] == "not_applicable")]
    silent = starred[~pd.MultiIndex.from_frame(starred[keys]).isin(known)]
    issues = [
        _issue("warning", "stage", row, found="no figure of any stage is known", done="kept, without figures")
        for row in silent.drop_duplicates(keys).assign(column="").to_dict("records")
    ]
    return silent[["school_id", "stage", "year"]].drop_duplicates(), issues


def duplicates(values: pd.DataFrame) -> tuple[pd.DataFrame, list[Issue]]:
    """Keep one value for each school, year, stage and column; report schools and figures that stand twice.

    The same text in several sheets of a workbook (code, name) is a repetition, not a fault. A school that stands twice
    with the same figures was sent twice: that is noted; with other figures it is a fault that names both places.
    """
    keys = ["school_id", "year", *(["campus"] if "campus" in values else []), "stage", "column"]
    values = _without_blank_rows(values, keys)
    again = values[values.duplicated(keys, keep=False)]
    first = again.groupby(keys, sort=False)[["file", "sheet", "cell", "row", "number", "text"]].transform("first")
    twice = (again["file"] != first["file"]) | (
        (again["sheet"] == first["sheet"]) & (again["row"] != first["row"])
    )
    differs = (again["text"] != first["text"]) | (again["number"].fillna(-1) != first["number"].fillna(-1))
    issues = list(_twice(again[twice], first[twice], differs[twice], values))
    said = again[twice].set_index(["file", "school_id"]).index
    rest = again[~twice & ~pd.MultiIndex.from_frame(again[["file", "school_id"]]).isin(said)]
    issues += list(_contradictions(rest[differs.loc[rest.index]], first.loc[rest[differs.loc[rest.index]].index]))
    return values.drop_duplicates(keys), issues


def _without_blank_rows(values: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Leave out the blank of a school's second row where its first one says something, and the other way round."""
    if not (values["part"] == 2).any():
        return values
    said = values.groupby(keys)["is_blank"].transform("all")
    return values[~((values["part"] == 2) & values["is_blank"] & ~said)]


def _twice(again: pd.DataFrame, first: pd.DataFrame, differs: pd.Series, values: pd.DataFrame) -> Iterator[Issue]:
    """Yield one issue for each school that stands twice, by the place of its code."""
    rows = again[again["column"] == "school_id"].drop_duplicates(_PLACE)
    wrong = again[differs].drop_duplicates(_PLACE).set_index(_PLACE, drop=False)
    # In a school's workbook the code stands on one sheet and the figures on others.
    homeless = wrong[~wrong.index.isin(pd.MultiIndex.from_frame(rows[_PLACE]))].drop_duplicates(_SCHOOL)
    homeless = homeless.set_index(_SCHOOL, drop=False)
    repeats = {len(keys): _only_repeats(again, values, keys) for keys in (_PLACE, _SCHOOL)}
    for index, row in rows.iterrows():
        other = first.loc[index]
        found = f"{row['school_id']} also in {_at_cell(other)}"
        at, own = tuple(row[_PLACE]), tuple(row[_SCHOOL])
        bad = wrong.loc[[at]] if at in wrong.index else homeless.loc[[own]] if own in homeless.index else None
        if bad is not None:
            said = f"; {bad['column'].iloc[0]} {bad['raw'].iloc[0]} differs"
            yield _issue("error", "duplicate school", row.to_dict(), found=found + said, expected=_ONE_ROW)
        elif row["file"] != other["file"] and own in repeats[len(_SCHOOL)]:
            repeats[len(_SCHOOL)].remove(own)  # once for a file, however many sheets it has
            yield _issue("note", "duplicate school", row.to_dict(), found=found, done=_KEPT_ONCE)
        elif row["file"] == other["file"] and row["part"] != 2 and at in repeats[len(_PLACE)]:
            yield _issue("note", "duplicate school", row.to_dict(), found=found, done=_KEPT_ONCE)


def _only_repeats(again: pd.DataFrame, values: pd.DataFrame, keys: list[str]) -> set[tuple[Any, ...]]:
    """Return the rows or files that say nothing new of a school; the others complete what is said elsewhere."""
    own = again.groupby(keys).size()
    return set(own.index[own == values.groupby(keys).size().reindex(own.index)])


def _at_cell(row: pd.Series) -> str:
    sheet = f", sheet {row['sheet']}" if row["sheet"] else ""
    return f"{row['file']}{sheet}, cell {row['cell']}"


def _contradictions(rest: pd.DataFrame, before: pd.DataFrame) -> Iterator[Issue]:
    for index, row in rest.iterrows():
        other = before.loc[index]
        found = f"{row['column']} {row['raw']!r}"
        expected = f"{other['text'] or other['number']:}, as in sheet {other['sheet']}, cell {other['cell']}"
        yield _issue("error", "contradiction", row.to_dict(), found=found, expected=expected)


def names_twice(values: pd.DataFrame) -> list[Issue]:
    """Warn of one name under two codes in a year."""
    names = values[values["column"] == "school_name"].drop_duplicates(["year", "school_id"])
    again = names[names.duplicated(["year", "text"], keep="first")]
    first = names.drop_duplicates(["year", "text"]).set_index(["year", "text"])["school_id"]
    return [
        _issue(
            "warning",
            "contradiction",
            row,
            found=f"{row['text']} under two codes",
            expected=f"one code ({first[row['year'], row['text']]})",
            done="both kept",
        )
        for row in again.to_dict("records")
    ]


def totals(cells: pd.DataFrame, form: Form) -> list[Issue]:
    """Check every total against the rows above it or below it, of the whole table or up to the next total.

    A total agrees if it is the sum of what the cells say or of what they say after corrections.
    """
    kinds = [name for name, column in form.columns.items() if column.type in ("count", "quantity", "boolean")]
    summed_up = cells.loc[cells["kind"] == "total", "file"].unique()
    cells = cells[cells["column"].isin(kinds) & cells["file"].isin(summed_up)].sort_values(
        ["file", "sheet", "position", "row"], kind="stable"
    )
    is_total = cells["kind"] == "total"
    group = [cells["file"], cells["sheet"], cells["position"]]
    agrees = pd.Series(False, index=cells.index)
    sums = {}
    for source in ("read", "number"):
        shown = cells[source].where(~is_total & ~(cells["is_dropped"] & (source == "number")), 0.0).fillna(0.0)
        running = shown.groupby(group, sort=False).cumsum()
        closed = running.where(is_total).groupby(group, sort=False).ffill()
        before = closed.groupby(group, sort=False).shift(fill_value=0.0).fillna(0.0)
        whole = running.groupby(group, sort=False).transform("last")
        after = running.where(is_total).groupby(group, sort=False).shift(-1).groupby(group, sort=False).bfill()
        sums[source] = running.where(running != 0, whole)
        for summed in (running, running - before, whole, after.fillna(whole) - running):
            agrees |= _near(summed, cells["number"])
    # Beside a cell that cannot be read a sum says nothing: that cell is a fault of its own.
    unread = (cells["state"] == "unreadable").groupby(group, sort=False).transform("any")
    wrong = is_total & (cells["state"] == "value") & ~agrees & ~unread
    return [
        _issue(
            "error",
            "total",
            row,
            found=f"{row['column']} {row['raw']}",
            expected=f"{row['sum']:.10g}, the sum of its rows",
        )
        for row in cells[wrong].assign(sum=sums["number"][wrong]).to_dict("records")
    ]


def _near(left: pd.Series, right: pd.Series) -> pd.Series:
    return (left - right).abs() <= _TOTAL_TOLERANCE * np.maximum(1.0, right.abs())


def missing_columns(
    cells: pd.DataFrame, values: pd.DataFrame, sheets: pd.DataFrame, form: Form, corrections: Corrections
) -> list[Issue]:
    """Return an error for each column a workbook's types of school should have and it has not.

    Parameters
    ----------
    cells : DataFrame
        Every cell of the workbooks: a column is there even if all its cells are blank or were dropped.
    values : DataFrame
        Cells with ``school_type``.
    sheets : DataFrame
        What the national forms do not hold is not missed in files of them.
    form : Form
    corrections : Corrections
        Columns that the district does not collect are not missed.
    """
    headed = cells.drop_duplicates(["file", "column", "stage"])
    found = set(zip(headed["file"], headed["column"], headed["stage"], strict=True))
    national = load_national().not_in_forms
    books = set(sheets.loc[sheets["form"] != "", "file"])
    issues = []
    for (file, year), types in values.groupby(["file", "year"], sort=False)["school_type"].unique().items():
        wanted = sorted({(*pair, t) for t in types for pair in _wanted(t, form)})
        for column, stage, school_type in wanted:
            # A stage without a header of its own is a fault of its own, said elsewhere.
            is_there = {(file, column, stage), (file, column, "")} & found
            is_waived = {(column, None), (column, year)} & corrections.not_collected
            is_foreign = file in books and school_type in national.get(column, ())
            if not (is_there or is_waived or is_foreign):
                issues.append(_missing(file, year, column, stage, form))
    return list(dict.fromkeys(_elsewhere(issues, values)))


def _elsewhere(issues: list[Issue], values: pd.DataFrame) -> Iterator[Issue]:
    """Yield the missing columns that no other file gives for the same schools and year."""
    wanted = {issue.subject for issue in issues}
    given = (
        values[values["column"].isin(wanted)].groupby(["year", "column"])["school_id"].agg(set) if wanted else {}
    )
    schools = values.groupby(["file", "year"])["school_id"].agg(set) if wanted else {}
    for issue in issues:
        year = int(issue.year)
        if not schools[issue.file, year] <= given.get((year, issue.subject), set()):
            yield issue


def with_strangers(issues: list[Issue], found: pd.DataFrame) -> list[Issue]:
    """Name, beside what a workbook lacks, its unknown headers and its sheets set aside: they may be meant.

    Schools without a type in a workbook with such a sheet are one fault and not one for each school.
    """
    unknown = found[found["kind"] == "unknown header"].groupby("file")["found"].agg("、".join)
    aside = found[found["kind"] == "sheet without header"].groupby("file")["sheet"].agg("、".join)
    schools = Counter(issue.file for issue in issues if issue.kind == "school type")
    named: dict[object, Issue] = {}
    for number, issue in enumerate(issues):
        sheets = aside.get(issue.file, "")
        said = f"no header of the school's code in sheet {sheets}" if sheets else ""
        if issue.kind == "missing header" and issue.file in unknown.index:
            said = f"the unknown headers {unknown[issue.file]}"
        if issue.kind == "missing header" and said:
            named[number] = replace(issue, found=said)
        elif issue.kind == "school type" and said:
            found_here = f"{said}; {schools[issue.file]} schools have no type, the first is {issue.school}"
            one = replace(issue, school="", found=found_here, expected="that header in every sheet of schools")
            named.setdefault(issue.file, one)
        else:
            named[number] = issue
    return list(named.values())


def _missing(file: str, year: int, column: str, stage: str, form: Form) -> Issue:
    named = f"{column}, {stage}" if stage else column
    expected = f"a column {form.columns[column].headers[0]} ({named})"
    return Issue("error", "missing header", file, year=str(year), expected=expected, subject=column)


def _wanted(school_type: str, form: Form) -> Iterable[tuple[str, str]]:
    """Yield the (column, stage) pairs that a school of a type reports; stage ``""`` for the whole school."""
    for column in form.columns.values():
        if school_type in column.school_types:
            stages = form.stages(school_type) if column.level == "stage" else ("",)
            yield from ((column.name, stage) for stage in stages)
