"""The rules of county statisticians on finished tables: figures that cannot both be true, or hardly.

The rules stand in ``definitions/forms/checks.yml``, each of one of a few kinds; every finding names its cell.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from planlib.clean import frames
from planlib.clean.issues import Issue
from planlib.clean.tables.roster import coming_and_going
from planlib.clean.words.national import load_national
from planlib.clean.words.writing import SEPARATOR, key
from planlib.paths import DEFINITIONS
from planlib.registry.documents import read_document

Rule = Mapping[str, Any]
Tables = Mapping[str, pd.DataFrame]

_KEY = ["school_id", "stage", "year"]
_OF_FORM = ["school_id", "year", "form", "row_label", "column_label"]
_PLAIN = ",.12g"  # numbers as people write them, grouped and never 1e+10
_SAID = [*_KEY, "column", "found", "expected", "file", "sheet", "cell"]


def check_tables(tables: Tables, path: Path = DEFINITIONS / "forms" / "checks.yml") -> list[Issue]:
    """Return what the rules find in the tables of a district.

    Parameters
    ----------
    tables : mapping
        Processed tables by name; ``schools`` and ``lineage`` are needed.
    path : Path
        The rules.

    Returns
    -------
    list of Issue
        Of the level and with the id of their rule.
    """
    document = read_document(path, f"definitions/forms/{path.name}")
    document.raise_faults()
    known = next((rule for rule in document.data["rules"] if rule["kind"] == "schools"), None)
    tables = {
        **tables,
        "by_grade": _by_grade(tables),
        "events": coming_and_going(tables["schools"], tables.get("projects"), known),
    }
    return [
        issue
        for rule in document.data["rules"]
        for issue in _issues(rule, _KINDS[rule["kind"]](tables, rule), tables["lineage"])
    ]


def _issues(rule: Rule, found: pd.DataFrame, lineage: pd.DataFrame) -> list[Issue]:
    """Return the findings of a rule as issues; those of the table of schools at the cell they come from."""
    if found.empty:
        return []
    if "file" not in found:
        keys = [*_KEY, "column"]
        cells = lineage.loc[lineage["column"].isin(found["column"]), [*keys, "file", "sheet", "cell"]]
        cells = frames.as_texts(cells)
        found = found.merge(cells, on=keys, how="left")
    said = found.reindex(columns=_SAID).astype("object")
    rows = said.where(said.notna(), "").astype("str").to_dict("records")
    where = ("file", "sheet", "cell", "year", "found", "expected")
    levels = found.get("level", pd.Series(rule["level"], index=found.index))
    return [
        Issue(level, rule["id"], school=row["school_id"], subject=row["column"],
              done="" if level == "error" else "kept", **{name: row[name] for name in where})
        for row, level in zip(rows, levels, strict=True)
    ]  # fmt: skip


def _nothing() -> pd.DataFrame:
    return pd.DataFrame(columns=[*_KEY, "column", "found", "expected"])


def _numbers(schools: pd.DataFrame, column: str) -> pd.Series:
    """Return a column as floats; one that the table does not have is not known."""
    if column not in schools:
        return pd.Series(np.nan, index=schools.index)
    return schools[column].astype("Float64").astype("float64")


def _terms(schools: pd.DataFrame, side: str | Mapping[str, float]) -> tuple[pd.Series, str, str]:
    """Return the sum of one side of a comparison, how it is written, and its first column."""
    weights = {side: 1} if isinstance(side, str) else side
    total = pd.Series(sum(weight * _numbers(schools, column) for column, weight in weights.items()))
    said = " + ".join(column if weight == 1 else f"{weight} × {column}" for column, weight in weights.items())
    return total, said, next(iter(weights))


def _compare(tables: Tables, rule: Rule) -> pd.DataFrame:
    schools = tables["schools"]
    left, said, column = _terms(schools, rule["left"])
    right, other, _ = _terms(schools, rule["right"])
    is_equal = rule["relation"] == "equal"
    wrong = (left.ne(right) if is_equal else left.gt(right)) & left.notna() & right.notna()
    if not wrong.any():
        return _nothing()
    rows = schools.loc[wrong, _KEY].assign(column=column, left=left[wrong], right=right[wrong])
    relation = "equal to" if is_equal else "at most"
    return rows.assign(
        # a whole of 0 is most often one that was left blank: that is asked for, and stops nothing
        level=np.where(rows["right"] > 0, rule["level"], "warning"),
        found=[f"{said} {value:{_PLAIN}}" for value in rows["left"]],
        expected=[f"{relation} {other} ({value:{_PLAIN}})" for value in rows["right"]],
    )


def _range(tables: Tables, rule: Rule) -> pd.DataFrame:
    schools = tables["schools"]
    over = _numbers(schools, rule["over"])
    if rule["per"] == "school":
        over = over.groupby([schools["school_id"], schools["year"]]).transform("sum")
    value = _numbers(schools, rule["column"])
    ratio = value / over.where(over != 0)
    outside = ~ratio.between(rule["minimum"], rule["maximum"]) & ratio.notna()
    rows = schools.loc[outside, _KEY].assign(column=rule["column"], value=value[outside], ratio=ratio[outside])
    rows = rows.drop_duplicates(["school_id", "year"]) if rule["per"] == "school" else rows
    return rows.assign(
        found=[
            f"{rule['column']} {row.value:{_PLAIN}}, {float(f'{row.ratio:.4g}'):{_PLAIN}} for each of {rule['over']}"
            for row in rows.itertuples()
        ],
        expected=f"{rule['minimum']} to {rule['maximum']}",
    )


def _lines(tables: Tables, rule: Rule) -> pd.DataFrame:
    """Compare students by grade, of enrolment.csv and of the national forms, with a column of the returns."""
    schools, lines, column = tables["schools"], tables["by_grade"], rule["column"]
    if lines.empty or schools.empty or column not in schools:
        return _nothing()
    if "grades" in rule:
        pairs = pd.MultiIndex.from_tuples([(stage, g) for stage, grades in rule["grades"].items() for g in grades])
        lines = lines[pd.MultiIndex.from_frame(lines[["stage", "grade"]]).isin(pairs)]
    # what both say is compared twice: each names its own cell
    sums = lines.groupby([*_KEY, "file"], as_index=False).agg(
        by_grade=("students", "sum"), sheet=("sheet", "first"), cell=("cell", "first")
    )
    both = sums.merge(schools[[*_KEY, column]], on=_KEY, how="left", indicator="at")
    # whoever is not in the returns at all is told once, by the rule of all grades
    is_absent = (both["at"] == "left_only") & ("grades" not in rule)
    # a figure that the returns leave out cannot be contradicted
    both = both[is_absent | (both["by_grade"] != both[column]).fillna(False)]
    return both.assign(
        column=column,
        found=[
            f"{n:{_PLAIN}} in {stage} by grade" for n, stage in zip(both["by_grade"], both["stage"], strict=True)
        ],
        expected=[
            f"{column} {value:{_PLAIN}} in the returns" if at == "both" else "no such school and stage"
            for value, at in zip(both[column], both["at"], strict=True)
        ],
    )


def _by_grade(tables: Tables) -> pd.DataFrame:
    """Return students by school, stage, year and grade, each with its cell: of enrolment.csv, then of the forms."""
    forms = [_grades_of_forms(tables["form_cells"])] if "form_cells" in tables else []
    lines = tables.get("enrolment", pd.DataFrame())
    if len(lines):
        forms.insert(0, lines.assign(sheet="", cell=[f"line {line}" for line in lines["line"]]))
    columns = [*_KEY, "grade", "students", "file", "sheet", "cell"]
    parts = [part[columns] for part in forms if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def _grades_of_forms(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the students by grade of the national forms: the row of the total, the columns that name a grade."""
    national = load_national()
    known = pd.DataFrame(
        [
            (code, text, form.stage, grade)
            for code, form in national.by_code.items()
            for text, grade in form.grades.items()
        ],
        columns=["form", "text", "stage", "grade"],
    )
    cells = cells[cells["form"].isin(known["form"]) & cells["value"].notna()]
    # a sheet that stands twice in a workbook says nothing twice
    cells = cells.drop_duplicates(["file", *_OF_FORM, "value"])
    totals = [label for label in cells["row_label"].unique() if key(label) in national.total_rows]
    cells = frames.as_texts(cells[cells["row_label"].isin(totals)])
    last = {label: key(label.split(SEPARATOR)[-1]) for label in cells["column_label"].unique()}
    cells = cells.assign(text=cells["column_label"].map(last), students=cells["value"])
    return cells.merge(known, on=["form", "text"])


def _jump(tables: Tables, rule: Rule) -> pd.DataFrame:
    """Compare every school with itself a year before."""
    column, keys = rule["column"], ["school_id"] if rule["per"] == "school" else ["school_id", "stage"]
    if tables["schools"]["year"].nunique() < 2:
        return _nothing()
    rows = tables["schools"].drop_duplicates([*keys, "year"])
    opened = _numbers(rows, "opened_year").fillna(-np.inf)
    rows = rows[[*_KEY]].assign(value=_numbers(rows, column), age=rows["year"] - opened)
    before = rows[[*keys, "year", "value"]].assign(year=rows["year"] + 1).rename(columns={"value": "before"})
    both = rows.merge(before, on=[*keys, "year"])
    both["change"] = both["value"] / both["before"].where(both["before"] > 0) - 1
    moved = (both["value"] - both["before"]).abs()
    # 30 % of 1000 is no jump, whatever the last bit of a float says
    is_large = (moved >= rule["least"]) & (moved > rule["share"] * both["before"] * (1 + 1e-9))
    known = tables["events"]
    reorganised = pd.MultiIndex.from_frame(
        known.loc[known["reason"].isin(["split", "merged"]), ["other_id", "year"]]
    )
    is_told = pd.MultiIndex.from_frame(both[["school_id", "year"]]).isin(reorganised)
    wrong = is_large & (both["before"] > 0) & (both["age"] > rule["settled_after"]) & ~is_told
    both = both[wrong]
    return both.assign(
        column=column,
        found=[
            f"{column} {row.value:{_PLAIN}}, {row.change:+,.0%} on {row.before:{_PLAIN}} a year before"
            for row in both.itertuples()
        ],
        expected=f"a change of at most {rule['share']:.0%}, a merger or a split",
    )


def _break(tables: Tables, rule: Rule) -> pd.DataFrame:
    """Say once for each column that its meaning changes between years that are both there."""
    schools = tables["schools"]
    found = []
    for column in rule["columns"]:
        years = schools.loc[_numbers(schools, column).fillna(0) > 0, "year"]
        if len(years) and years.min() < rule["year"] <= years.max():
            said = f"{column} of the years {years.min()} to {years.max()}"
            found.append({"column": column, "year": rule["year"], "found": said})
    expected = f"care when years before {rule['year']} are compared with later ones"
    return pd.DataFrame(found, columns=["column", "year", "found"]).assign(expected=expected, file=_RETURNS)


_RETURNS = "returns/"


def _schools(tables: Tables, _rule: Rule) -> pd.DataFrame:
    """Return the schools that come and go for no reason that is known, with what they might be."""
    events = tables["events"]
    events = events[~events["is_explained"].astype(bool)].assign(column="school_id")
    # whoever went stands in the returns of the year before
    keys = ["school_id", "stage", "seen"]
    cells = tables["lineage"].rename(columns={"year": "seen"})
    cells = frames.as_texts(cells.loc[cells["column"] == "school_id", [*keys, "file", "sheet", "cell"]])
    return events.merge(cells, on=keys, how="left")


def _codes(tables: Tables, rule: Rule) -> pd.DataFrame:
    """Return the codes that lost a leading zero, as numbers do: longer elsewhere, or one digit short of all others."""
    cells, lines = tables["lineage"], tables.get("enrolment", pd.DataFrame())
    cells = cells.loc[cells["column"] == "school_id", [*_KEY, "file", "sheet", "cell"]]
    both = [cells["school_id"], *([lines["school_id"]] if len(lines) else [])]
    codes = pd.Index(pd.unique(pd.concat([own.astype("str") for own in both])))
    codes = codes[codes.str.isdecimal()]
    known = set(codes)  # by far the fastest way to ask
    is_longer_elsewhere = np.fromiter((f"0{code}" in known for code in codes), dtype=bool, count=len(codes))
    lost = codes[is_longer_elsewhere | _is_one_short(codes, rule)]
    if lost.empty:
        return _nothing()
    if len(lines):
        lines = lines.assign(sheet="", cell=[f"line {line}" for line in lines["line"]])
        cells = pd.concat([frames.as_texts(cells), lines[cells.columns]])
    rows = frames.as_texts(cells).drop_duplicates(["school_id", "year", "file"])
    first = rows.drop_duplicates("school_id").set_index("school_id")["file"]
    rows = rows[rows["school_id"].isin(lost)]
    shorter = "one digit shorter than all other codes"
    return rows.assign(
        column="school_id",
        found=[f"{c}, but 0{c} in {first[f'0{c}']}" if f"0{c}" in first else f"{c}, {shorter}" for c in rows["school_id"]],
        expected=[_one_code(row) for row in rows.to_dict("records")],
    )  # fmt: skip


def _is_one_short(codes: pd.Index, rule: Rule) -> np.ndarray:
    """Tell of each code whether it is one digit shorter than the others, which are all of one length."""
    lengths = codes.str.len().to_numpy("int64")
    usual = lengths.max(initial=0)
    is_clear = set(lengths) == {usual - 1, usual} and (lengths < usual).sum() <= rule["share"] * len(codes)
    return (lengths < usual) & is_clear


def _one_code(row: Mapping[str, Any]) -> str:
    """Say what is wanted: the entry of corrections.yml, which of a CSV would be one for each line."""
    code = row["school_id"]
    if not row["sheet"]:
        return f"one code for one school; if 0{code} is meant, ask for the file with codes stored as text"
    where = f"{{school_id: '{code}', year: {row['year']}, column: school_id}}"
    then = f"action: override, value: '0{code}', expect: '{code}', reason: …, who: …"
    entry = f"{{what: leading zero, where: {where}, {then}}}"
    return f"one code for one school; if 0{code} is meant, write under corrections in corrections.yml: - {entry}"


def _bounds(tables: Tables, rule: Rule) -> pd.DataFrame:
    rows = tables.get(rule["table"], pd.DataFrame())
    if rows.empty:
        return _nothing()
    for column, value in rule["where"].items():
        rows = rows[rows[column] == value]
    rows = rows[~rows[rule["column"]].between(rule["minimum"], rule["maximum"])]
    return rows.assign(
        column=rule["column"],
        sheet="",
        cell=[f"line {line}" for line in rows["line"]],
        found=[f"{value:{_PLAIN}}" for value in rows[rule["column"]]],
        expected=f"{rule['minimum']} to {rule['maximum']}",
    )


_KINDS: Mapping[str, Callable[[Tables, Rule], pd.DataFrame]] = {
    "compare": _compare,
    "range": _range,
    "lines": _lines,
    "jump": _jump,
    "break": _break,
    "schools": _schools,
    "codes": _codes,
    "bounds": _bounds,
}
