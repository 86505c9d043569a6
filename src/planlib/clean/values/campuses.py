"""Campuses that report under one school's code: their figures are added up, or refused where they cannot be."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from planlib.clean import frames
from planlib.clean.issues import Issue
from planlib.clean.words.convert import steps_of
from planlib.clean.words.forms import Form

_ROW = ["file", "sheet", "row"]
_SCHOOL = ["school_id", "year"]
_FIGURE = [*_SCHOOL, "stage", "column"]
_EACH = "a figure of each campus, 0 or * where it has none"
_WHICH = "a campus in each row, of the main one too"
_Taught = Mapping[tuple[Any, ...], set[str]]


def campus_of(name: str, form: Form) -> tuple[str, str]:
    """Return a school's name without its campus, and the campus (``""`` if the name says none).

    Examples
    --------
    >>> from planlib.clean.words.forms import load_form
    >>> campus_of("采荷小学（东校区）", load_form()), campus_of("采荷小学本部", load_form())
    (('采荷小学', '东校区'), ('采荷小学', '本部'))
    >>> campus_of("采荷小学", load_form())
    ('采荷小学', '')
    """
    found = next((hit for pattern in form.campus_names if (hit := pattern.fullmatch(name))), None)
    return (found[1], found[2]) if found else (name, "")


def with_campuses(values: pd.DataFrame, form: Form) -> pd.DataFrame:
    """Name the campus of every value of a school on which several campuses report under its code.

    A campus stands in a column of its own, or at the end of the school's name. A row without either is of the one
    campus that its file speaks of, if there is one.

    Parameters
    ----------
    values : DataFrame
        Cells with stages (`planlib.clean.values.resolve.with_stages`).
    form : Form

    Returns
    -------
    DataFrame
        With ``campus``, only if there are such schools; ``""`` is a row that names none.
    """
    rows = frames.as_texts(values[values["column"].isin(["campuses", "school_name"]) & (values["text"] != "")])
    any_campus = re.compile("|".join(f"(?:{pattern.pattern})" for pattern in form.campus_names))
    of_name = {
        text: campus_of(text, form)[1] if any_campus.fullmatch(text) else "" for text in rows["text"].unique()
    }
    campus = rows["text"].where(rows["column"] == "campuses", rows["text"].map(of_name))
    if not (campus != "").any():
        return values
    rows = rows.assign(campus=campus, order=campus == "").sort_values(["order", "column"], kind="stable")
    rows = rows.drop_duplicates([*_ROW, "school_id"])
    of_file = rows.groupby(["file", *_SCHOOL])["campus"].agg(["first", "nunique"]).query("nunique == 1")["first"]
    texts = frames.as_texts(values[[*_ROW, *_SCHOOL]])
    own = _looked_up(texts, rows.set_index([*_ROW, "school_id"])["campus"])
    named = own.fillna(_looked_up(texts, of_file)).fillna("")
    several = named.groupby([texts[name] for name in _SCHOOL]).transform("nunique") > 1
    return values.assign(campus=named.where(several, "")) if several.any() else values


def _looked_up(values: pd.DataFrame, known: pd.Series) -> pd.Series:
    at = pd.MultiIndex.from_frame(values[list(known.index.names)])
    return pd.Series(known.reindex(at).to_numpy(), values.index)


def added_up(values: pd.DataFrame, cells: pd.DataFrame, form: Form) -> tuple[pd.DataFrame, list[Issue]]:
    """Add up the campuses of each school: counts and measures are summed, all else must be the same.

    Parameters
    ----------
    values : DataFrame
        One value for each school, year, campus, stage and column.
    cells : DataFrame
        The same before blanks were given a meaning: what one campus leaves open makes a sum unknown.
    form : Form

    Returns
    -------
    (DataFrame, list of Issue)
        One value for each school, year, stage and column, with the ``cell`` and ``raw`` of all campuses, joined by
        ``+``; a note for each school, an error for each figure that cannot be added.
    """
    if "campus" not in values:
        return values, []
    coded = values.select_dtypes("category").columns
    values, cells = frames.as_texts(values), frames.as_texts(cells)
    schools = pd.MultiIndex.from_frame(values.loc[values["campus"] != "", _SCHOOL].drop_duplicates())
    is_own = pd.MultiIndex.from_frame(values[_SCHOOL]).isin(schools)
    cells = cells[pd.MultiIndex.from_frame(cells[_SCHOOL]).isin(schools)]
    of_figure, taught = dict(iter(cells.groupby(_FIGURE))), _taught(cells)
    made, issues = [], []
    for at, rows in _with_names(values[is_own], form).groupby(_FIGURE, sort=False):
        row, faults = _one(rows, of_figure.get(at, rows), taught.get(at[:3], set()), form)
        made.append(row)
        issues += faults
    added = pd.DataFrame(made).astype(values.dtypes.to_dict())
    unclear = {(i.school, i.year): i for i in reversed(issues) if i.expected == _WHICH}  # one cause, one fault
    issues = [i for i in issues if i.expected != _WHICH] + [*unclear.values()]
    issues += [_note(row) for _, row in added[added["column"] == "campuses"].iterrows()]
    values = pd.concat([values[~is_own], added], ignore_index=True).drop(columns="campus")
    return values.astype(dict.fromkeys(coded, "category")), issues


def _with_names(values: pd.DataFrame, form: Form) -> pd.DataFrame:
    """Take the campuses out of names: into a column of their own where the returns have none."""
    names = values["column"] == "school_name"
    said = pd.MultiIndex.from_frame(values.loc[values["column"] == "campuses", _SCHOOL])
    named = values[names & (values["campus"] != "") & ~pd.MultiIndex.from_frame(values[_SCHOOL]).isin(said)]
    named = named.assign(column="campuses", text=named["campus"], step="campus of the name")
    short = [campus_of(text, form)[0] for text in values.loc[names, "text"]]
    values.loc[names, "text"] = short
    return pd.concat([values, named], ignore_index=True)


def _taught(cells: pd.DataFrame) -> _Taught:
    """Return the campuses of each school and year, and for each stage those that give any figure of it."""
    held = cells[(cells["campus"] != "") & ((cells["stage"] == "") | (cells["state"] == "value"))]
    return {tuple(at): set(campuses) for at, campuses in held.groupby([*_SCHOOL, "stage"])["campus"]}


def _one(rows: pd.DataFrame, cells: pd.DataFrame, campuses: set[str], form: Form) -> tuple[pd.Series, list[Issue]]:
    """Return one figure of a school, and what speaks against adding it up."""
    rule = form.columns[str(rows["column"].iloc[0])].campuses
    whole, parts = rows[rows["campus"] == ""], rows[rows["campus"] != ""]
    if rule == "list":
        return _joined(parts, text="、".join(parts["text"])), []
    if rule != "sum":
        return _alike(rows, rule)
    total = parts["number"].sum()
    if len(whole) and (parts.empty or not whole["is_blank"].all()):
        # a row of the whole school beside those of its campuses must be their sum
        is_clear = parts.empty or whole["number"].iloc[0] == total
        return whole.iloc[0], [] if is_clear else [_unclear(whole.iloc[0], parts)]
    open_cells = cells[(cells["state"] == "blank") & cells["campus"].isin(campuses - set(parts["campus"]))]
    faults = [_fault(row, f"{row['column']} of {row['campus']} is empty", _EACH) for row in _records(open_cells)]
    for campus in sorted(campuses - set(cells["campus"])):
        faults.append(_fault(rows.iloc[0], f"no {rows['column'].iloc[0]} of {campus}", _EACH))
    return _joined(parts, number=total), faults


def _records(cells: pd.DataFrame) -> Iterator[Any]:
    return (row for _, row in cells.drop_duplicates("campus").iterrows())


def _alike(rows: pd.DataFrame, rule: str) -> tuple[pd.Series, list[Issue]]:
    """Return what all campuses say, or the least of it; those that say something else are faults."""
    said = rows[~rows["is_blank"]] if not rows["is_blank"].all() else rows
    if rule == "least":
        return said.loc[said["number"].idxmin()], []
    first = said.iloc[0]
    differs = (said["text"] != first["text"]) | said["number"].ne(first["number"]) & said["number"].notna()
    expected = f"{first['raw']}, as at {_name(first)} in {_at(first)}"
    found = [(row, f"{row['column']} is {row['raw']} at {_name(row)}") for _, row in said[differs].iterrows()]
    return first, [_fault(row, what, expected) for row, what in found]


def _name(row: pd.Series) -> str:
    return str(row["campus"] or row["school_id"])


def _joined(parts: pd.DataFrame, **value: Any) -> pd.Series:
    """Return several values as one: the cells of other sheets with file and sheet, as spreadsheets write them."""
    first = parts.iloc[0].copy()
    if len(parts) > 1:
        first["cell"] = "+".join(_address(row, first) for _, row in parts.iterrows())
        first["raw"] = "+".join(parts["raw"])
        steps = steps_of(parts["step"])
        first["step"] = f"{steps}; sum of {len(parts)} campuses" if "number" in value else steps
        first["is_blank"] = parts["is_blank"].all()
        for name, what in value.items():
            first[name] = what
    return first


def _address(row: pd.Series, first: pd.Series) -> str:
    if row["file"] == first["file"] and row["sheet"] == first["sheet"]:
        return str(row["cell"])
    return "+".join(f"[{row['file']}]{row['sheet']}!{cell}" for cell in str(row["cell"]).split("+"))


def _at(row: pd.Series) -> str:
    sheet = f", sheet {row['sheet']}" if row["sheet"] else ""
    return f"{row['file']}{sheet}, cell {row['cell']}"


def _unclear(whole: pd.Series, parts: pd.DataFrame) -> Issue:
    said = "、".join(parts["campus"])
    found = f"{whole['column']} {whole['raw']} without a campus, {'+'.join(parts['raw'])} of {said}"
    return _fault(whole, found, _WHICH)


def _fault(row: pd.Series, found: str, expected: str) -> Issue:
    return _issue("error", row, found=found, expected=expected)


def _note(row: pd.Series) -> Issue:
    return _issue("note", row, found=f"{row['school_id']} has the campuses {row['text']}", done="added up")


def _issue(level: str, row: pd.Series, **said: str) -> Issue:
    where = {name: str(row[name]) for name in ("file", "sheet", "cell", "year")}
    return Issue(level, "campus", **where, school=row["school_id"], subject=row["column"], **said)
