"""What enrolment means in classes, seats and posts, and what new schools add."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from planlib.enrolment.cube import (
    STAGE_OF_GRADE,
    columns,
    counts,
    names,
    refuse_twice,
    row_keys,
    whole_years,
)
from planlib.errors import DataError, listing

GRADES_OF_KIND: dict[str, tuple[str, ...]] = {
    "kindergarten": ("K1", "K2", "K3"),
    "primary": ("1", "2", "3", "4", "5", "6"),
    "junior": ("7", "8", "9"),
    "nine_year": ("1", "2", "3", "4", "5", "6", "7", "8", "9"),
    "nursery": ("T",),
}


def seats(
    projection: pd.DataFrame,
    capacity: pd.DataFrame,
    class_sizes: Mapping[str, float],
    *,
    value: str = "students",
    stages: Mapping[str, str] = STAGE_OF_GRADE,
) -> pd.DataFrame:
    """Compare children with seats, by area, stage and year.

    Classes are rounded up per grade of each school (where the table has ``school_id``) or area and then added:
    rounding the district's total up once would hide the shortage of every place that is full. For classes grade by grade
    let every grade be its own stage (``stages={"1": "1", …}``).

    Parameters
    ----------
    projection : DataFrame
        ``grade, year`` and `value`; optional ``area``, ``school_id``.
    capacity : DataFrame
        ``stage, seats``; optional ``area`` (as in the projection) and ``year`` (without it the same every year; with it
        the last year given holds on). No rows: no capacity is known. Areas with seats but without children are listed
        too, for the stages that are projected.
    class_sizes : mapping
        Children a class, by grade (``K1``) or by stage (``primary``); a grade's own entry goes first.
    value : str
        The column to be seated: ``students``, or ``upper_80`` for a cautious plan.
    stages : mapping
        Stage of each grade.

    Returns
    -------
    DataFrame
        ``area, stage, year, students, classes, seats_needed`` (classes × size), ``seats`` (capacity), ``balance``
        (capacity less children), ``shortage`` and ``surplus`` (one of them 0), ``classes_short`` (classes that do not
        fit into the capacity at this class size), ``note`` (``no_capacity`` where none is known; then the four are
        missing).

    Raises
    ------
    DataError
        A grade without class size or stage, a stage of the capacity that no grade belongs to, capacity given twice, a
        column that is missing.

    Examples
    --------
    >>> coming = pd.DataFrame({"area": ["north", "south"], "grade": "1", "year": 2026, "students": [46.0, 44.0]})
    >>> there = pd.DataFrame({"area": ["north", "south"], "stage": "primary", "seats": [45, 45]})
    >>> seats(coming, there, {"primary": 45})[["classes", "shortage", "surplus", "classes_short"]].values.tolist()
    [[2.0, 1.0, 0.0, 1.0], [1.0, 0.0, 1.0, 0.0]]
    """
    columns(projection, ["grade", "year", value], "projection")
    table = _classes(projection, class_sizes, value, stages)
    rows = table.groupby(["area", "stage", "year"], sort=False, as_index=False)[
        ["students", "classes", "seats_needed"]
    ].sum()
    own = _seats_known(capacity, rows, "area" in projection, stages)
    rows = _with_empty_areas(rows, own)
    rows["size"] = rows["seats_needed"] / rows["classes"].where(rows["classes"] > 0)
    rows = rows.merge(_capacity(own, rows), on=["area", "stage", "year"], how="left")
    rows["balance"] = rows["seats"] - rows["students"]
    rows["shortage"] = (-rows["balance"]).clip(lower=0)
    rows["surplus"] = rows["balance"].clip(lower=0)
    over = (rows["seats_needed"] - rows["seats"]).clip(lower=0) / rows["size"]
    # adding zero turns the −0.0 of a rounded-up tolerance into 0.0
    rows["classes_short"] = np.ceil(over - 1e-9).where(rows["classes"] > 0, rows["seats"] * 0) + 0.0
    rows["note"] = np.where(rows["seats"].isna(), "no_capacity", "")
    return rows.drop(columns="size")


def _classes(
    projection: pd.DataFrame, class_sizes: Mapping[str, float], value: str, stages: Mapping[str, str]
) -> pd.DataFrame:
    """Return children, classes and seats per school or area, grade and year."""
    grade = projection["grade"].astype("str")
    stage = grade.map(dict(stages))
    size = pd.to_numeric(grade.map(dict(class_sizes)).fillna(stage.map(dict(class_sizes))), errors="coerce")
    lacking = sorted(set(grade[stage.isna() | ~(size > 0)]))
    if lacking:
        hint = "name them in class_sizes (by grade or stage, more than 0) and in stages"
        raise DataError(listing("grades without a stage or class size", lacking, hint))
    students = counts(projection, value, "projection")
    # a projected 45.0000001 children are 45, not two classes
    classes = np.ceil(students / size - 1e-9).clip(lower=0)
    return pd.DataFrame(
        {
            "area": names(projection, "area", "projection"),
            "stage": stage,
            "year": whole_years(projection, "projection"),
            "students": students,
            "classes": classes,
            "seats_needed": classes * size,
        }
    )


def _seats_known(
    capacity: pd.DataFrame, rows: pd.DataFrame, by_area: bool, stages: Mapping[str, str]
) -> pd.DataFrame:
    """Return the capacity of the stages projected, checked: ``area, stage, seats, since``."""
    if capacity.empty:
        return pd.DataFrame({"area": [], "stage": [], "seats": [], "since": []})
    columns(capacity, ["stage", "seats", *(["area"] if by_area else [])], "capacity")
    own = pd.DataFrame(
        {
            "area": names(capacity, "area", "capacity") if by_area else "",
            "stage": names(capacity, "stage", "capacity"),
            "seats": counts(capacity, "seats", "capacity"),
        }
    )
    known = set(stages.values())
    strange = capacity[~own["stage"].isin(known)]
    if len(strange):
        hint = f"use one of {', '.join(dict.fromkeys(stages.values()))}"
        raise DataError(listing("capacity of unknown stages", row_keys(strange), hint))
    own["since"] = whole_years(capacity, "capacity") if "year" in capacity else rows["year"].min()
    told = own.rename(columns={"since": "year"}) if "year" in capacity else own.drop(columns="since")
    refuse_twice(told, ("area", "stage", "year"), "capacity", "keep one row, or sum up the schools first")
    return own[own["stage"].isin(rows["stage"])]


def _with_empty_areas(rows: pd.DataFrame, own: pd.DataFrame) -> pd.DataFrame:
    """Add areas that have seats for a projected stage but no children in it."""
    there = pd.MultiIndex.from_frame(rows[["area", "stage"]])
    empty = own[["area", "stage"]].drop_duplicates()
    empty = empty[~pd.MultiIndex.from_frame(empty).isin(there)]
    if empty.empty:
        return rows
    grid = empty.merge(rows[["year"]].drop_duplicates(), how="cross")
    return pd.concat([rows, grid.assign(students=0.0, classes=0.0, seats_needed=0.0)], ignore_index=True)


def _capacity(own: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Return seats by area, stage and year of the projection: the last ones given."""
    if own.empty:
        return rows[["area", "stage", "year"]].assign(seats=np.nan)
    wanted = rows[["area", "stage", "year"]].sort_values("year")
    own = own.astype({"since": wanted["year"].dtype}).sort_values("since")
    found = pd.merge_asof(wanted, own, left_on="year", right_on="since", by=["area", "stage"])
    return found[["area", "stage", "year", "seats"]]


def staff_posts(
    projection: pd.DataFrame,
    pupils_per_post: Mapping[str, float],
    *,
    value: str = "students",
    stages: Mapping[str, str] = STAGE_OF_GRADE,
) -> pd.DataFrame:
    """Return staff posts (教职工编制) that a number of pupils entitles to, rounded up per area and stage.

    Parameters
    ----------
    projection : DataFrame
        ``grade, year`` and `value`; optional ``area``.
    pupils_per_post : mapping
        By stage; stages that are not named are left out.
    value, stages
        As in :func:`seats`.

    Returns
    -------
    DataFrame
        ``area, stage, year, students, posts``. Posts of all staff, not teachers needed.

    Examples
    --------
    >>> coming = pd.DataFrame({"grade": ["7"], "year": [2026], "students": [136.0]})
    >>> staff_posts(coming, {"junior": 13.5})["posts"].tolist()
    [11.0]
    """
    columns(projection, ["grade", "year", value], "projection")
    table = pd.DataFrame(
        {
            "area": names(projection, "area", "projection"),
            "stage": _stage(projection, stages),
            "year": whole_years(projection, "projection"),
            "students": counts(projection, value, "projection"),
        }
    )
    wrong = [f"{stage}: {ratio}" for stage, ratio in pupils_per_post.items() if not ratio > 0]
    if wrong:
        raise DataError(listing("pupils per post must be more than 0", wrong, "correct the ratio"))
    table = table[table["stage"].isin(list(pupils_per_post))]
    rows = table.groupby(["area", "stage", "year"], sort=False, as_index=False)["students"].sum()
    rows["posts"] = np.ceil(rows["students"] / rows["stage"].map(dict(pupils_per_post)) - 1e-9)
    return rows


def _stage(projection: pd.DataFrame, stages: Mapping[str, str]) -> pd.Series:
    """Return the stage of every row; raise on grades without one."""
    grade = names(projection, "grade", "projection")
    lacking = sorted(set(grade) - set(stages))
    if lacking:
        raise DataError(listing("grades without a stage", lacking, "name them in stages"))
    return grade.map(dict(stages))


def new_seats(
    projects: pd.DataFrame, years: Sequence[int], *, stages: Mapping[str, str] = STAGE_OF_GRADE
) -> pd.DataFrame:
    """Return the seats that building projects add, one grade a year from the term in which each opens.

    A school counts from the first 1 September on or after its opening. In its first year it has the first grade of
    each of its stages (a nine-year school grades 1 and 7), a year later two, until it is full. A renewal gives all its
    seats at once.

    Parameters
    ----------
    projects : DataFrame
        ``project_id, kind, opened, seats``; optional ``area``, ``stage`` (for renewals). Rows without an opening date
        add nothing yet.
    years : sequence of int
        School years to be listed.
    stages : mapping
        Stage of each grade.

    Returns
    -------
    DataFrame
        ``project_id, kind, area, stage, year, grades_open, seats``: seats usable in that school year, a row for each
        project, stage and year from its opening.

    Raises
    ------
    DataError
        An unknown kind, a date that is no ISO date, seats that are no count, a project given twice, a renewal without a
        stage.

    Examples
    --------
    >>> ledger = pd.DataFrame(
    ...     {"project_id": ["p1"], "kind": "primary", "area": "north", "opened": "2024-09-01", "seats": 1080})
    >>> new_seats(ledger, range(2023, 2027)).set_index("year")["seats"].to_dict()
    {2024: 180.0, 2025: 360.0, 2026: 540.0}
    """
    columns(projects, ["project_id", "kind", "opened", "seats"], "projects")
    opened = pd.to_datetime(projects["opened"].replace("", None), format="%Y-%m-%d", errors="coerce")
    _refuse_projects(projects, opened)
    open_ones = projects[opened.notna()]
    first = opened.dropna().dt.year + (opened.dropna() > pd.to_datetime(opened.dropna().dt.strftime("%Y-09-01")))
    number = counts(open_ones, "seats", "projects")
    rows = [
        (
            row.project_id,
            row.kind,
            str(getattr(row, "area", "")),
            stage,
            year,
            *_filled(year - start, grades, whole),
        )
        for row, start, whole in zip(open_ones.itertuples(), first, number, strict=True)
        for stage, grades, whole in _shares(row, float(whole), stages)
        for year in years
        if year >= start
    ]
    told = ["project_id", "kind", "area", "stage", "year", "grades_open", "seats"]
    return pd.DataFrame(rows, columns=told).astype({"seats": "float64"})


def _shares(row: object, whole: float, stages: Mapping[str, str]) -> list[tuple[str, int, float]]:
    """Split a project's seats among its stages by their number of grades: (stage, grades, seats)."""
    kind = str(getattr(row, "kind", ""))
    if kind == "renewal":
        return [(str(getattr(row, "stage", "") or ""), 0, whole)]
    own = [stages[grade] for grade in GRADES_OF_KIND[kind]]
    return [(stage, own.count(stage), whole * own.count(stage) / len(own)) for stage in dict.fromkeys(own)]


def _filled(age: int, grades: int, whole: float) -> tuple[int, float]:
    """Return how many grades are open and how many seats they have, `age` years after opening."""
    if grades == 0:
        return 0, whole
    open_grades = min(age + 1, grades)
    return open_grades, whole * open_grades / grades


def _refuse_projects(projects: pd.DataFrame, opened: pd.Series) -> None:
    """Raise on kinds and dates that cannot be counted."""
    given = projects["opened"].notna() & (projects["opened"].astype("str") != "")
    faults = [
        f"project {row['project_id']}: opened {row['opened']!r} is no ISO date"
        for _, row in projects[given & opened.isna()].iterrows()
    ]
    known = [*GRADES_OF_KIND, "renewal"]
    faults += [
        f"project {row['project_id']}: kind {row['kind']!r}, expected one of {', '.join(known)}"
        for _, row in projects[~projects["kind"].isin(known)].iterrows()
    ]
    stage = projects["stage"].fillna("") if "stage" in projects else pd.Series("", index=projects.index)
    homeless = projects["kind"].eq("renewal") & stage.eq("")
    faults += [
        f"project {row['project_id']}: a renewal without a stage" for _, row in projects[homeless].iterrows()
    ]
    refuse_twice(projects[["project_id"]], ("project_id",), "projects", "keep one row for each project")
    if faults:
        raise DataError(listing("projects that cannot be counted", faults, "correct projects.csv"))
