"""Cells of many workbooks to values: whose stage, what a blank means, what is missing, twice or wrongly summed."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from planlib import schema
from planlib.clean import frames
from planlib.clean.issues import Issue
from planlib.clean.values.correct import Corrections
from planlib.clean.words.convert import steps_of
from planlib.clean.words.forms import Form
from planlib.clean.words.national import load_national

# Sums of measured figures are compared up to what printing them to two decimals may change.
_TOTAL_TOLERANCE = 1e-6
TOTAL = "total"
"""The kind of issue of a wrong total."""
_ONE_ROW = "one row for each school and year"
_KEPT_ONCE = "the same figures: kept once"
_PLACE = ["file", "sheet", "row", "school_id", "year"]
_SCHOOL = ["file", "school_id", "year"]
_OF_STAGE = 2  # the `part` of a figure of a whole school in a row of one stage
_Missing = tuple[str, int, str, str]
"""A file, its year, a column and its stage (``""`` for the whole school)."""


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
        wanted = row[expected] if expected else f"the {row['column']}"
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
    values = _with_types(values)
    issues = list(_untyped(values))
    by_stage = frames.taken(values["column"], {n: c.level == "stage" for n, c in form.columns.items()}, False)
    values["stage"] = _own_stage(values, by_stage, form)
    is_open, typed = (values["stage"] == "").to_numpy(), (values["school_type"] != "").to_numpy()
    issues += list(_unstaged(values[by_stage & typed & is_open], "a stage in the header above"))
    misplaced = values[~by_stage & ~is_open].drop_duplicates(["file", "sheet", "position"])
    issues += list(_unstaged(misplaced, "one figure for the whole school"))
    foreign = by_stage & ~is_open & typed & ~_has_stage(values, form)
    issues += [
        _issue("error", "stage", row, found=repr(row["raw"]), expected=f"nothing: a {row['school_type']} school")
        for row in values[foreign & (values["number"].fillna(0) != 0).to_numpy()].to_dict("records")
    ]
    return values[~foreign & typed & (~is_open == by_stage)], issues


def _with_types(values: pd.DataFrame) -> pd.DataFrame:
    """Give every cell the type of its school in its year, as its file says, or else another file."""
    types = values[(values["column"] == "school_type") & (values["text"] != "")]
    words = pd.Index(sorted({"", *types["text"].unique()}), dtype="str")
    codes = np.full(len(values), words.get_loc(""), dtype="int64")
    for keys in (_SCHOOL, _SCHOOL[1:]):
        rest = np.flatnonzero(codes == words.get_loc(""))
        if len(rest):
            known = types.drop_duplicates(keys)
            at = pd.Index(_place(known, keys)).get_indexer(_place(values.iloc[rest], keys))
            found = words.get_indexer(frames.as_texts(known[["text"]])["text"])
            codes[rest[at >= 0]] = found[at[at >= 0]]
    return values.assign(school_type=pd.Categorical.from_codes(codes, words))


def _place(values: pd.DataFrame, keys: list[str]) -> np.ndarray:
    """Return one number for a school in a year, or in a file and a year, the same in all parts of one frame."""
    made = values["year"].to_numpy("int64")
    for key in keys[:-1]:
        made = made * len(values[key].cat.categories) + values[key].cat.codes.to_numpy()
    return made


def _own_stage(values: pd.DataFrame, by_stage: np.ndarray, form: Form) -> pd.Categorical:
    """Return the stage of each figure: its header's, or the one that the school's type has alone."""
    said = values["stage"].cat
    words = pd.Index(
        sorted({"", *said.categories, *(s for own in form.stages_of_type.values() for s in own)}), dtype="str"
    )
    codes = words.get_indexer(said.categories)[said.codes.to_numpy()]
    single = {t: words.get_loc(stages[0]) for t, stages in form.stages_of_type.items() if len(stages) == 1}
    own = frames.taken(values["school_type"], single, words.get_loc(""))
    return pd.Categorical.from_codes(np.where(by_stage & (codes == words.get_loc("")), own, codes), words)


def _has_stage(values: pd.DataFrame, form: Form) -> np.ndarray:
    types, stages = values["school_type"].cat, values["stage"].cat
    has = np.array([[stage in form.stages(t) for stage in stages.categories] for t in types.categories])
    return has[types.codes.to_numpy(), stages.codes.to_numpy()]


def _untyped(values: pd.DataFrame) -> Iterator[Issue]:
    rows = frames.as_texts(values[values["school_type"] == ""])
    unread = rows[(rows["column"] == "school_type") & (rows["state"] == "unreadable")]  # said already
    said = pd.MultiIndex.from_frame(unread[_SCHOOL])
    rows = rows[~pd.MultiIndex.from_frame(rows[_SCHOOL]).isin(said)]
    rows = rows.drop_duplicates(_SCHOOL)
    for row in rows.to_dict("records"):
        expected = "the school's type in a sheet of that year"
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
    parts = frames.as_texts(values[is_part])
    keys = ["file", "sheet", "school_id", "year", "column", "stage"]
    figure = pd.Series(pd.factorize(schema.row_numbers(values[is_part], keys))[0], parts.index)
    grouped = parts.groupby(figure)
    order = parts["state"].map({"value": 0, "blank": 1, "not_applicable": 2, "unreadable": 3})
    best = parts.assign(order=order).groupby(figure)["order"].idxmin()
    made = parts.drop_duplicates(keys)
    is_true = made["column"].isin([n for n, c in form.columns.items() if c.type == "boolean"]).to_numpy()
    counts = grouped.size().to_numpy()
    steps = _steps(parts[parts["state"] == "value"], figure, parts.loc[best, "step"])
    made = made.assign(
        number=np.where(is_true, grouped["number"].max(), grouped["number"].sum(min_count=1)),
        cell=_joined(parts["cell"], figure),
        raw=_joined(parts["raw"], figure),
        state=parts.loc[best, "state"].to_numpy(),
        step=[step + (f"; sum of {n} cells" if n > 1 else "") for step, n in zip(steps, counts, strict=True)],
        part=0,
    )
    return frames.stacked([values[~is_part], made])


def _steps(parts: pd.DataFrame, figure: pd.Series, best: pd.Series) -> list[str]:
    """Return what is said of each figure: the step of its best part, or those of all its parts where they differ."""
    number = figure[parts.index]
    differs = (parts["step"] != parts["step"].groupby(number).transform("first")).groupby(number).transform("any")
    several = parts.loc[differs, "step"].groupby(number[differs]).agg(steps_of).to_dict()
    return [several.get(n, step) for n, step in enumerate(best.to_list())]


def _joined(texts: pd.Series, figure: pd.Series) -> list[str]:
    """Return the texts of each figure with a plus between them."""
    parts: dict[int, list[str]] = {}
    for number, text in zip(figure.to_list(), texts.to_list(), strict=True):
        parts.setdefault(number, []).append(text)
    return ["+".join(own) for own in parts.values()]


def with_blanks(values: pd.DataFrame, form: Form) -> pd.DataFrame:
    """Give blank cells what the form says they mean (0, false, empty text), and leave the others out."""
    rules = {name: {"empty": 1, "zero": 2}.get(column.blank, 0) for name, column in form.columns.items()}
    rule = frames.taken(values["column"], rules, 0)
    kinds = {name: column.type == "boolean" for name, column in form.columns.items()}
    blank = (values["state"] == "blank").to_numpy()
    zero, meant = blank & (rule == 2), blank & (rule > 0)
    said = np.where(frames.taken(values["column"], kinds, False), 0, np.where(zero, 1, 2))
    result = values.assign(is_blank=blank, number=values["number"].mask(zero, 0.0))
    result["step"] = _with_words(values["step"], meant, said, ["blank → false", "blank → 0", "blank → no text"])
    return result[meant | (values["state"] == "value").to_numpy()]


def _with_words(steps: pd.Series, where: np.ndarray, said: np.ndarray, words: list[str]) -> Any:
    """Return the steps with one of the words added at some rows."""
    known = steps.cat.categories.tolist()
    new = [f"{step}; {word}" if step else word for step in known for word in words]
    codes = steps.cat.codes.to_numpy("int64")
    codes = np.where(where, len(known) + codes * len(words) + said, codes)
    return frames.column([frames.Coded(codes, known + new)], "category")


def without_idle_stages(values: pd.DataFrame) -> tuple[pd.DataFrame, list[Issue]]:
    """Leave out a stage of a school for which its workbook has nothing but blank cells.

    A school that fills none of its stages keeps them all, with a warning.
    """
    by_stage = values[values["stage"] != ""]
    keys = ["school_id", "year", "stage"]
    figure = schema.row_numbers(by_stage, keys)
    if len(pd.unique(figure)) == len(pd.unique(figure[~by_stage["is_blank"].to_numpy()])):
        return values, []
    idle = frames.as_texts(by_stage[[*keys, "is_blank"]]).groupby(keys)["is_blank"].all()
    empty_school = idle.groupby(["school_id", "year"]).transform("all")
    left_out = idle.index[idle & ~empty_school]
    at = pd.MultiIndex.from_frame(frames.as_texts(values[keys]))
    said = [(*key, "note", "the stage is left out") for key in left_out]
    said += [(*key, "warning", "kept, with 0 or nothing") for key in idle.index[idle & empty_school]]
    first = frames.as_texts(by_stage.drop_duplicates(keys)).set_index(keys)
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
    starred = frames.as_texts(cells[(cells["stage"] != "") & (cells["state"] == "not_applicable")])
    said = values[values["school_id"].isin(starred["school_id"].unique()) & (values["stage"] != "")]
    known = pd.MultiIndex.from_frame(frames.as_texts(said[keys]).drop_duplicates())
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
    numbers = schema.row_numbers(values, keys)
    if (np.diff(np.sort(numbers, kind="stable")) > 0).all():  # quicker than to look for the rows
        return values, []
    figure = pd.Series(numbers, values.index)
    is_again = figure.duplicated(keep=False)
    again = frames.as_texts(values[is_again])
    first = again.groupby(keys, sort=False)[["file", "sheet", "cell", "row", "number", "text"]].transform("first")
    twice = (again["file"] != first["file"]) | (
        (again["sheet"] == first["sheet"]) & (again["row"] != first["row"])
    )
    differs = (again["text"] != first["text"]) | (again["number"].fillna(-1) != first["number"].fillna(-1))
    own = frames.as_texts(values[values["school_id"].isin(again["school_id"].unique())])
    issues = list(_twice(again[twice], first[twice], differs[twice], own))
    said = again[twice].set_index(_SCHOOL).index
    rest = again[~twice & ~pd.MultiIndex.from_frame(again[_SCHOOL]).isin(said)]
    issues += list(_contradictions(rest[differs.loc[rest.index]], first.loc[rest[differs.loc[rest.index]].index]))
    return values[~figure.duplicated()], issues


def _without_blank_rows(values: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Leave out the blank of a school's second row where its first one says something, and the other way round."""
    if not (values["part"] == _OF_STAGE).any():
        return values
    said = values["is_blank"].groupby(schema.row_numbers(values, keys)).transform("all")
    return values[~((values["part"] == _OF_STAGE) & values["is_blank"] & ~said)]


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
        elif row["file"] == other["file"] and row["part"] != _OF_STAGE and at in repeats[len(_PLACE)]:
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


def names_twice(every: Mapping[str, pd.DataFrame]) -> list[Issue]:
    """Warn of one name under two codes in a year; of tables, for the two may stand in different files."""
    names = every["schools"][["school_id", "year", "school_name"]].drop_duplicates(["year", "school_id"])
    names = names[names.duplicated(["year", "school_name"], keep=False)]
    if names.empty:
        return []
    born = every["lineage"]
    born = frames.as_texts(born[(born["column"] == "school_name") & born["school_id"].isin(names["school_id"])])
    born = born.drop_duplicates(["year", "school_id"])[["year", "school_id", "column", "file", "sheet", "cell"]]
    names = names.merge(born, on=["year", "school_id"]).assign(long=lambda rows: rows["cell"].str.len())
    names = names.sort_values(["file", "sheet", "long", "cell"], kind="stable")
    again = names[names.duplicated(["year", "school_name"], keep="first")]
    first = names.drop_duplicates(["year", "school_name"]).set_index(["year", "school_name"])["school_id"]
    return [
        _issue(
            "warning",
            "contradiction",
            row,
            found=f"{row['school_name']} under two codes",
            expected=f"one code ({first[row['year'], row['school_name']]})",
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
    if not len(summed_up):
        return []
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
            TOTAL,
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
    """Return an error for each column that a workbook's types of school should have in a year and it has not.

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
    headers: dict[tuple[str, int], set[tuple[str, str]]] = {}
    for file, year, column, stage in zip(*_columns(cells, ["file", "year", "column", "stage"]), strict=True):
        headers.setdefault((file, year), set()).add((column, stage))
    # there a stage without figures is no row
    for place in zip(*_columns(cells[cells["part"] == _OF_STAGE], ["file", "year"]), strict=True):
        headers[place] |= {(column, "") for column, _ in headers[place]}
    books = set(sheets.loc[sheets["form"] != "", "file"])
    types: dict[tuple[str, int], set[str]] = {}
    for file, year, school_type in zip(*_columns(values, ["file", "year", "school_type"]), strict=True):
        types.setdefault((file, year), set()).add(school_type)
    known: dict[Any, list[tuple[str, str]]] = {}  # schools of one type send the same forms
    missing = []
    for (file, year), own in types.items():
        case = (frozenset(own), frozenset(headers[file, year]), year, file in books)
        if case not in known:
            known[case] = list(_absent(*case, form, corrections))
        missing += [(file, year, *place) for place in known[case]]
    return [_missing(*place, form) for place in dict.fromkeys(_elsewhere(missing, values))]


def _columns(values: pd.DataFrame, names: list[str]) -> list[Any]:
    """Return the columns of the rows that differ in them."""
    rows = values[~pd.Series(schema.row_numbers(values, names)).duplicated().to_numpy()]
    return [rows[name].to_list() for name in names]


def _absent(
    types: frozenset[str],
    headers: frozenset[tuple[str, str]],
    year: int,
    is_book: bool,
    form: Form,
    corrections: Corrections,
) -> Iterator[tuple[str, str]]:
    """Yield the columns, with their stages, that schools of some types report and a file has not."""
    national = load_national().not_in_forms
    for column, stage, school_type in sorted({(*pair, t) for t in types for pair in _wanted(t, form)}):
        # A stage without a header of its own is a fault of its own, said elsewhere.
        is_there = {(column, stage), (column, "")} & headers
        is_waived = {(column, None), (column, year)} & corrections.not_collected
        is_foreign = is_book and school_type in national.get(column, ())
        if not (is_there or is_waived or is_foreign):
            yield column, stage


def _elsewhere(missing: list[_Missing], values: pd.DataFrame) -> Iterator[_Missing]:
    """Yield the missing columns that no other file gives for the same schools, stage and year."""
    if not missing:
        return
    rows = values[["file", "year", "column", "stage", "school_id"]]
    schools = frames.as_texts(rows.drop_duplicates(["file", "year", "school_id"]))
    schools = schools.groupby(["file", "year"])["school_id"].agg(set)
    rows = frames.as_texts(rows[rows["column"].isin({column for _, _, column, _ in missing})])
    given = rows.groupby(["year", "column", "stage"])["school_id"].agg(set)
    for file, year, column, stage in missing:
        if not schools[file, year] <= given.get((year, column, stage), set()):
            yield file, year, column, stage


def with_strangers(issues: list[Issue], found: pd.DataFrame, sheets: pd.DataFrame) -> list[Issue]:
    """Name, beside what a workbook lacks in a year, its unknown headers and its sheets set aside: they may be meant.

    Columns that a workbook with unknown headers lacks are one fault: no one can say which header stands for which.
    Schools without a type in a workbook with such a sheet are one fault and not one for each school.
    """
    strangers = found[found["kind"] == "unknown header"].merge(
        sheets[["file", "sheet", "year"]].astype({"year": "str"}), on=["file", "sheet"], suffixes=("_said", "")
    )
    unknown = strangers.groupby(["file", "year"])["found"].agg("、".join)
    aside = found[found["kind"] == "sheet without header"].groupby("file")["sheet"].agg("、".join)
    schools = Counter((issue.file, issue.year) for issue in issues if issue.kind == "school type")
    named: dict[object, Issue] = {}
    for number, issue in enumerate(issues):
        sheets = aside.get(issue.file, "")
        said = f"no header of the school's code in sheet {sheets}" if sheets else ""
        if issue.kind == "missing header" and (issue.file, issue.year) in unknown.index:
            place = (issue.kind, issue.file, issue.year)
            alike = [other for other in issues if (other.kind, other.file, other.year) == place]
            one = replace(issue, found=f"the unknown headers {unknown[issue.file, issue.year]}")
            named.setdefault(place, one if len(alike) == 1 else replace(one, expected=_all_missing(alike)))
        elif issue.kind == "missing header" and said:
            named[number] = replace(issue, found=said)
        elif issue.kind == "school type" and said:
            count = schools[issue.file, issue.year]
            found_here = f"{said}; {count} schools have no type, the first is {issue.school}"
            one = replace(issue, school="", found=found_here, expected="that header in every sheet of schools")
            named.setdefault((issue.kind, issue.file, issue.year), one)
        else:
            named[number] = issue
    return list(named.values())


def _all_missing(missing: list[Issue]) -> str:
    """Return the expectation of all missing columns of a file, each named once whatever its stages."""
    named = {i.subject: i.expected.removeprefix("a column ").rpartition(" (")[0] for i in missing}
    return "the columns " + "、".join(f"{header} ({column})" for column, header in named.items())


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
