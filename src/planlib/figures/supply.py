"""Schools being built, places and pupils, and money."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from planlib.figures.lettering import INK, QUIET, style, wrap
from planlib.figures.marks import BLUE, GREEN, GREY, LINES, ORANGE, PURPLE, STAGE, VERMILION, Mark
from planlib.figures.picture import Picture, Sheet, no_data, sheet
from planlib.figures.progress import draw_stacked
from planlib.figures.words import (
    axis_numbers,
    check_language,
    date_text,
    finite,
    is_missing,
    listed,
    need,
    number,
    optional_word,
    percent,
    say,
    signed_percent,
    unit_name,
    word,
)

# Light to dark as a project moves on: the order survives grey print.
PROJECT: dict[str, Mark] = {
    "opened": Mark("s", "#08306B"),
    "handed_over": Mark("s", "#2171B5"),
    "completed": Mark("s", "#6BAED6", hatch="//"),
    "started": Mark("s", "#C6DBEF", hatch=".."),
    "approved": Mark("s", "#F0F4FA", hatch="\\\\"),
    "planned": Mark("s", "#FFFFFF", hatch="xx"),
}
_STEPS = ["approved", "started", "completed", "handed_over", "opened"]
_KINDS = ["kindergarten", "primary", "junior", "nine_year", "renewal"]

_MONEY: list[list[str]] = [
    ["education_expenditure_yuan"],
    ["general_expenditure_yuan"],
    ["education_share_pct"],
    ["preschool_share_pct"],
    ["per_pupil_funds_preschool_yuan", "per_pupil_funds_primary_yuan", "per_pupil_funds_junior_yuan"],
    ["teacher_pay_yuan", "civil_servant_pay_yuan"],
]
_LINE_COLOURS = [BLUE, ORANGE, GREEN, PURPLE]
_LINE_SHAPES = ["o", "s", "^", "D"]


def project_timeline(
    projects: pd.DataFrame,
    cutoff: str,
    targets: Mapping[str, int],
    first_year: int,
    last_year: int,
    language: str = "zh",
    *,
    simulated: bool = False,
    note: str = "",
) -> Picture:
    """Draw how far the building projects have come: by kind and stage, and opened against the straight way to the target.

    Parameters
    ----------
    projects : DataFrame
        The ledger: ``project_id, kind, approved, started, completed, handed_over, opened`` (ISO dates or empty).
    cutoff : str
        ISO date; later dates are not known.
    targets : mapping
        Kind → number promised.
    first_year, last_year : int
        Of the plan.
    language, simulated, note
        As in :func:`planlib.figures.progress_bullets`.

    Returns
    -------
    Picture

    Raises
    ------
    DataError
        If a column is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> ledger = pd.DataFrame({"project_id": ["p1", "p2"], "kind": "primary", "approved": ["2021-03-01", "2022-01-10"],
    ...     "started": ["2021-06-01", ""], "completed": "", "handed_over": "", "opened": ["2022-09-01", ""]})
    >>> project_timeline(ledger, "2022-12-31", {"primary": 4}, 2021, 2025, "en").title
    'By 31 December 2022, 1 of 4 projects had opened (25%); not started: 3'
    """
    check_language(language)
    need(projects, ["project_id", "kind", *_STEPS], "project_timeline")
    if projects.empty:
        return no_data("project_timeline", language, simulated, projects)
    dates = projects[_STEPS].apply(pd.to_datetime, errors="coerce")
    known = dates.where(dates.le(pd.Timestamp(cutoff)))
    counts = _stage_counts(projects["kind"], known, targets)
    title = _project_title(counts, cutoff, language)
    with style():
        page = sheet(9.7, 3.1, title, language, say("project_how", language), note, simulated, legend=0.32)
        _project_legend(page, counts, language)
        page.constrain(wspace=0.06)
        left, right = page.figure.subplots(1, 2, width_ratios=[1.25, 1])
        labels = [f"{optional_word('project_kind', k, language)} {counts.loc[k].sum()}" for k in counts.index]
        draw_stacked(left, counts, PROJECT, labels)
        left.set_title(say("project_by_kind", language, date=date_text(cutoff, language)))
        _project_years(right, known, int(counts.to_numpy().sum()), (first_year, last_year), cutoff, language)
        return page.picture(_project_alt(title, counts, language), counts.reset_index(names="kind"))


def _stage_counts(kind: pd.Series, known: pd.DataFrame, targets: Mapping[str, int]) -> pd.DataFrame:
    """Count projects by kind and furthest step; what is promised and not in the ledger counts as not approved."""
    reached = known.notna()
    furthest = reached.iloc[:, ::-1].idxmax(axis=1).where(reached.any(axis=1), "planned")
    counts = furthest.groupby([kind, furthest]).size().unstack(fill_value=0)
    kinds = [k for k in [*_KINDS, *sorted(set(counts.index) - set(_KINDS))] if k in counts.index or k in targets]
    counts = counts.reindex(index=kinds, columns=list(PROJECT), fill_value=0)
    lacking = pd.Series({k: targets.get(k, 0) for k in kinds}) - counts.sum(axis=1)
    counts["planned"] += lacking.clip(lower=0)
    return counts.astype(int)


def _project_title(counts: pd.DataFrame, cutoff: str, language: str) -> str:
    total, opened = int(counts.to_numpy().sum()), int(counts["opened"].sum())
    idle = int(counts[["approved", "planned"]].to_numpy().sum())
    values = {"total": total, "opened": opened, "share": percent(opened / total, language), "idle": idle}
    return say("project_title", language, date=date_text(cutoff, language), **values)


def _project_legend(page: Sheet, counts: pd.DataFrame, language: str) -> None:
    handles = [
        Patch(facecolor=m.colour, hatch=m.hatch, edgecolor="#555555", linewidth=0.5,
              label=f"{word('project_stage', c, language)} {counts[c].sum()}")
        for c, m in PROJECT.items()
    ]  # fmt: skip
    page.strip(0.3).legend(
        handles=handles, loc="center left", ncols=6, handlelength=1.6, columnspacing=1.3, borderaxespad=0.2
    )


def _project_years(
    axes: Axes, known: pd.DataFrame, total: int, span: tuple[int, int], cutoff: str, language: str
) -> None:
    first, last = span
    end = pd.Timestamp(cutoff)
    # A whole year ends on its last day; the year of the cutoff ends at the cutoff.
    moments = [min(pd.Timestamp(f"{y}-12-31"), end) for y in range(first - 1, end.year + 1)]
    places = [m.year + m.dayofyear / 366 for m in moments]
    for step, line, colour in (
        ("opened", LINES[0], "#08306B"),
        ("started", LINES[1], "#2171B5"),
        ("approved", LINES[2], "#6BAED6"),
    ):
        reached = [int(known[step].le(m).sum()) for m in moments]
        axes.plot(places, reached, color=colour, linestyle=line, linewidth=1.8, marker="o", markersize=3.5)
        label = f"{word('project_stage', step, language)} {reached[-1]}"
        axes.annotate(
            label, (places[-1], reached[-1]), (5, 0), textcoords="offset points", va="center", fontsize=8.5
        )
    axes.plot([first, last + 1], [0, total], color=GREY, linestyle=(0, (5, 3)), linewidth=1.2)
    axes.annotate(say("project_path", language, total=total), (last + 1, total), (0, 5), textcoords="offset points",
                  ha="right", va="bottom", fontsize=8.5, color=QUIET)  # fmt: skip
    axes.set(xlim=(first - 0.05, last + 1.05), ylim=(0, total * 1.14))
    axes.set_xticks([y + 0.5 for y in range(first, last + 1)], [str(y) for y in range(first, last + 1)])
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.grid(axis="y")
    axes.tick_params(length=0)
    axes.set_title(say("project_by_year", language))


def _project_alt(title: str, counts: pd.DataFrame, language: str) -> str:
    parts = [title]
    for kind, row in counts.iterrows():
        words = [f"{word('project_stage', str(c), language)} {n}" for c, n in row.items() if n]
        name = optional_word("project_kind", str(kind), language)
        parts.append(say("alt_row", language, name=name, items=listed(words, language, 9)))
    return say("sentence_join", language).join(parts) + say("full_stop", language)


def seats_chart(
    seats: pd.DataFrame,
    language: str = "zh",
    *,
    known_until: int | None = None,
    simulated: bool = False,
    note: str = "",
) -> Picture:
    """Draw pupils against places by stage and year; a shortage is hatched and counted.

    Parameters
    ----------
    seats : DataFrame
        ``stage, year, students, seats``, optionally ``lower, upper`` (low and high projection).
    language, simulated, note
        As in :func:`planlib.figures.progress_bullets`.
    known_until : int, optional
        Last year of observations; later years are marked as projected.

    Returns
    -------
    Picture

    Raises
    ------
    DataError
        If a column is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"stage": "primary", "year": [2022, 2025], "students": [900, 1100], "seats": [1000, 1000]})
    >>> seats_chart(frame, "en").title
    'Largest shortage of places: Primary 100 in 2025'
    """
    check_language(language)
    need(seats, ["stage", "year", "students", "seats"], "seats_chart")
    rows = seats[seats["students"].notna() & seats["seats"].notna()]
    if rows.empty:
        return no_data("seats_chart", language, simulated, seats)
    worst = _worst_shortage(rows, language)
    title = say("seats_title" if worst else "seats_title_none", language, worst=listed(worst, language, 9),
                year=int(rows["year"].max()))  # fmt: skip
    stages = [s for s in STAGE if s in set(rows["stage"])]
    with style():
        page = sheet(9.7, 2.6, title, language, "", note, simulated, legend=0.32)
        _seats_legend(page, "lower" in rows, known_until, language)
        page.constrain(wspace=0.05)
        for axes, stage in zip(_one_row(page, len(stages)), stages, strict=False):
            _seats_panel(axes, rows[rows["stage"].eq(stage)].sort_values("year"), known_until, language)
            axes.set_title(say("stage_panel", language, stage=word("stage", stage, language)))
        return page.picture(_seats_alt(title, rows, stages, language), rows)


def _worst_shortage(rows: pd.DataFrame, language: str) -> list[str]:
    short = rows.assign(short=rows["students"] - rows["seats"])
    short = short[short["short"] > 0].sort_values("short", ascending=False).drop_duplicates("stage")
    return [
        say("shortage", language, stage=word("stage", r["stage"], language), short=number(round(r["short"]), language), year=int(r["year"]))
        for _, r in short.iterrows()
    ]  # fmt: skip


def _one_row(page: Sheet, count: int) -> Iterable[Axes]:
    """Panels side by side; one or two keep the width of three, as a line stretched over a page misleads."""
    grid = page.figure.subplots(1, max(count, 3), squeeze=False)[0]
    for axes in grid[count:]:
        axes.set_visible(False)
    return grid


def _seats_panel(axes: Axes, rows: pd.DataFrame, known_until: int | None, language: str) -> None:
    years, students, seats = (rows[c].to_numpy(dtype=float) for c in ("year", "students", "seats"))
    if "lower" in rows:
        axes.fill_between(
            years, rows["lower"].astype(float), rows["upper"].astype(float), color="#CFE2F2", linewidth=0
        )
    axes.fill_between(years, students, seats, where=students > seats, interpolate=True, facecolor="none", hatch="////",
                      edgecolor=VERMILION, linewidth=0)  # fmt: skip
    axes.plot(years, seats, color=INK, linewidth=2.0, linestyle=LINES[1])
    axes.plot(years, students, color=BLUE, linewidth=1.8, marker="o", markersize=3.8)
    last = len(years) - 1
    for values, other in ((students, seats), (seats, students)):
        above = values[last] >= other[last]
        axes.annotate(number(round(values[last]), language), (years[last], values[last]), (0, 6 if above else -6),
                      textcoords="offset points", ha="right", va="bottom" if above else "top", fontsize=8.5)  # fmt: skip
    _projected(axes, known_until)
    shown = finite([*students, *seats, *(rows["upper"] if "upper" in rows else [])])
    _people_axis(axes, years, max(shown), language)


def _projected(axes: Axes, known_until: int | None) -> None:
    if known_until is not None:
        axes.axvline(known_until + 0.5, color=GREY, linewidth=0.9, linestyle=(0, (2, 2)))


def _people_axis(axes: Axes, years: Sequence[float] | np.ndarray, top: float, language: str) -> None:
    first, last = int(min(years)), int(max(years))
    axes.set(ylim=(0, max(top, 1) * 1.16), xlim=(first - 0.4, last + 0.4))
    axes.set_xticks(range(first, last + 1, max(1, -(-(last - first) // 4))))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axis_numbers(axes.yaxis, language)
    axes.set_ylabel(say("people", language))
    axes.grid(axis="y")
    axes.tick_params(length=0)


def _seats_legend(page: Sheet, has_band: bool, known_until: int | None, language: str) -> None:
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=BLUE, marker="o", markersize=3.8, label=say("seats_students", language)),
        Line2D([], [], color=INK, linestyle=LINES[1], linewidth=2, label=say("seats_seats", language)),
        Patch(
            facecolor="none", hatch="////", edgecolor=VERMILION, linewidth=0, label=say("seats_short", language)
        ),
    ]
    if has_band:
        handles.append(Patch(facecolor="#CFE2F2", label=say("low_high", language)))
    if known_until is not None:
        label = say("projected_after", language, year=known_until)
        handles.append(Line2D([], [], color=GREY, linestyle=(0, (2, 2)), label=label))
    page.strip(0.3).legend(handles=handles, loc="center left", ncols=5, columnspacing=1.4, borderaxespad=0.2)


def _seats_alt(title: str, rows: pd.DataFrame, stages: list[str], language: str) -> str:
    parts = [title]
    for stage in stages:
        last = rows[rows["stage"].eq(stage)].sort_values("year").iloc[-1]
        parts.append(
            say("seats_alt", language, stage=word("stage", stage, language), year=int(last["year"]),
                students=number(round(last["students"]), language), seats=number(round(last["seats"]), language))
        )  # fmt: skip
    return say("sentence_join", language).join(parts) + say("full_stop", language)


def seats_by_area(
    seats: pd.DataFrame, year: int, language: str = "zh", *, simulated: bool = False, note: str = ""
) -> Picture:
    """Draw pupils against places in every area of the district, by stage, in one year.

    District totals hide a shortage next to a surplus; here each area is a row.

    Parameters
    ----------
    seats : DataFrame
        ``area, stage, year, students, seats``.
    year : int
        The year drawn.
    language, simulated, note
        As in :func:`planlib.figures.progress_bullets`.

    Returns
    -------
    Picture

    Raises
    ------
    DataError
        If a column is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"area": ["North", "South"], "stage": "primary", "year": 2025, "students": [900, 1100],
    ...                       "seats": [1000, 1000]})
    >>> seats_by_area(frame, 2025, "en").title
    '2025: places are short in 1 of 2 area-stages, most in South (Primary, 100)'
    """
    check_language(language)
    need(seats, ["area", "stage", "year", "students", "seats"], "seats_by_area")
    rows = seats[seats["year"].eq(year) & seats["students"].notna() & seats["seats"].notna()].reset_index(
        drop=True
    )
    if rows.empty:
        return no_data("seats_by_area", language, simulated, seats)
    rows["gap"] = rows["seats"] - rows["students"]
    title = _area_title(rows, year, language)
    stages = [s for s in STAGE if s in set(rows["stage"])]
    areas = sorted(rows["area"].unique(), key=lambda a: rows.loc[rows["area"].eq(a), "gap"].sum())
    with style():
        page = sheet(9.7, 0.34 * len(areas) + 0.85, title, language, "", note, simulated, legend=0.32)
        _area_legend(page, language)
        page.constrain(wspace=0.04)
        grid = page.figure.subplots(1, len(stages), sharey=True, squeeze=False)[0]
        for axes, stage in zip(grid, stages, strict=True):
            _area_panel(axes, rows[rows["stage"].eq(stage)].set_index("area").reindex(areas), language)
            axes.set_title(say("stage_panel", language, stage=word("stage", stage, language)))
        grid[0].set_yticks(range(len(areas) - 1, -1, -1), [wrap(str(a), 12) for a in areas])
        grid[0].tick_params(axis="y", labelcolor=INK, labelsize=9)
        return page.picture(_area_alt(title, rows, language), rows)


def _area_title(rows: pd.DataFrame, year: int, language: str) -> str:
    worst = rows.loc[rows["gap"].idxmin()]
    short = int(rows["gap"].lt(0).sum())
    values = {
        "short": short,
        "area": worst["area"],
        "stage": word("stage", worst["stage"], language),
        "count": number(round(-worst["gap"]), language),
    }
    return say("area_title" if short else "area_title_none", language, year=year, total=len(rows), **values)


def _area_panel(axes: Axes, rows: pd.DataFrame, language: str) -> None:
    top = max(finite([*rows["students"], *rows["seats"]]), default=1.0)
    for y, (_, row) in zip(range(len(rows) - 1, -1, -1), rows.iterrows(), strict=True):
        axes.axhline(y, color="#EFEFEF", linewidth=0.8, zorder=0)
        if is_missing(row["gap"]):
            continue
        is_short = row["gap"] < 0
        axes.plot(
            [row["students"], row["seats"]],
            [y, y],
            color=VERMILION if is_short else GREY,
            linewidth=3.5 if is_short else 2,
        )
        axes.plot([row["seats"]], [y], marker="|", color=INK, markersize=12, markeredgewidth=2.2)
        axes.plot([row["students"]], [y], marker="o", color=BLUE, markersize=6)
        sign = "−" if is_short else "+"
        axes.text(max(row["students"], row["seats"]) + top * 0.04, y, f"{sign}{number(abs(round(row['gap'])), language)}",
                  va="center", fontsize=8.5, color=VERMILION if is_short else INK)  # fmt: skip
    axes.set(xlim=(0, top * 1.3), ylim=(-0.6, len(rows) - 0.4))
    axes.xaxis.set_major_locator(MaxNLocator(3))
    axis_numbers(axes.xaxis, language)
    axes.set_xlabel(say("people", language))
    axes.tick_params(length=0)
    axes.spines["left"].set_visible(False)


def _area_legend(page: Sheet, language: str) -> None:
    handles = [
        Line2D([], [], color=BLUE, marker="o", linestyle="none", label=say("seats_students", language)),
        Line2D([], [], color=INK, marker="|", markersize=11, markeredgewidth=2.2, linestyle="none", label=say("seats_seats", language)),
        Line2D([], [], color=GREY, linewidth=2, label=say("area_spare", language)),
        Line2D([], [], color=VERMILION, linewidth=3.5, label=say("area_short", language)),
    ]  # fmt: skip
    page.strip(0.3).legend(handles=handles, loc="center left", ncols=4, columnspacing=1.4, borderaxespad=0.2)


def _area_alt(title: str, rows: pd.DataFrame, language: str) -> str:
    parts = [title]
    for _, row in rows[rows["gap"].lt(0)].sort_values("gap").iterrows():
        stage = word("stage", row["stage"], language)
        parts.append(
            say("area_alt", language, area=row["area"], stage=stage, short=number(round(-row["gap"]), language))
        )
    return say("sentence_join", language).join(parts) + say("full_stop", language)


def enrolment_chart(
    history: pd.DataFrame,
    projection: pd.DataFrame,
    language: str = "zh",
    *,
    simulated: bool = False,
    note: str = "",
) -> Picture:
    """Draw pupils by stage: what was counted, and the projection with its low and high variant.

    Parameters
    ----------
    history : DataFrame
        ``stage, year, students``.
    projection : DataFrame
        ``stage, year, students, lower, upper``.
    language, simulated, note
        As in :func:`planlib.figures.progress_bullets`.

    Returns
    -------
    Picture

    Raises
    ------
    DataError
        If a column is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> seen = pd.DataFrame({"stage": "junior", "year": [2021, 2022], "students": [900, 1000]})
    >>> ahead = pd.DataFrame({"stage": "junior", "year": [2025], "students": [1100], "lower": [1050], "upper": [1150]})
    >>> enrolment_chart(seen, ahead, "en").title
    'Pupils by 2025, against 2022: Junior 1,100 (+10%)'
    """
    check_language(language)
    need(history, ["stage", "year", "students"], "enrolment_chart (history)")
    need(projection, ["stage", "year", "students", "lower", "upper"], "enrolment_chart (projection)")
    stages = [s for s in STAGE if s in set(history["stage"]) & set(projection["stage"])]
    if not stages:
        return no_data("enrolment_chart", language, simulated, projection)
    changes = [_change(history, projection, s) for s in stages]
    title = _enrolment_title(stages, changes, language)
    with style():
        page = sheet(9.7, 2.6, title, language, "", note, simulated, legend=0.32)
        _enrolment_legend(page, language)
        page.constrain(wspace=0.05)
        for axes, stage in zip(_one_row(page, len(stages)), stages, strict=False):
            mine = (f[f["stage"].eq(stage)].sort_values("year") for f in (history, projection))
            _enrolment_panel(axes, *mine, language)
            axes.set_title(say("stage_panel", language, stage=word("stage", stage, language)))
        data = pd.concat([history.assign(part="history"), projection.assign(part="projection")])
        return page.picture(_enrolment_alt(title, stages, changes, language), data)


def _change(history: pd.DataFrame, projection: pd.DataFrame, stage: str) -> tuple[pd.Series, pd.Series]:
    """Last counted and last projected row of a stage."""
    seen, ahead = (f[f["stage"].eq(stage)].sort_values("year") for f in (history, projection))
    return seen.iloc[-1], ahead.iloc[-1]


def _enrolment_title(stages: list[str], changes: list[tuple[pd.Series, pd.Series]], language: str) -> str:
    words = [
        say("enrolment_stage", language, stage=word("stage", stage, language), students=number(round(after["students"]), language),
            change=signed_percent(after["students"] / before["students"] - 1, language))
        for stage, (before, after) in zip(stages, changes, strict=True)
    ]  # fmt: skip
    years = {"last": int(changes[0][1]["year"]), "first": int(changes[0][0]["year"])}
    return say("enrolment_title", language, stages=listed(words, language, 9), **years)


def _enrolment_panel(axes: Axes, seen: pd.DataFrame, ahead: pd.DataFrame, language: str) -> None:
    last = seen.iloc[-1]
    start = pd.DataFrame(
        [{"year": last["year"], **dict.fromkeys(["students", "lower", "upper"], last["students"])}]
    )
    fan = pd.concat([start, ahead[["year", "students", "lower", "upper"]]], ignore_index=True).astype(float)
    axes.fill_between(fan["year"], fan["lower"], fan["upper"], color="#CFE2F2", linewidth=0)
    axes.plot(fan["year"], fan["students"], color=BLUE, linestyle=LINES[1], linewidth=1.8)
    axes.plot(seen["year"], seen["students"], color=INK, marker="o", markersize=4, linewidth=1.5)
    for row, place in ((last, -9), (fan.iloc[-1], 7)):
        axes.annotate(number(round(row["students"]), language), (row["year"], row["students"]), (0, place),
                      textcoords="offset points", ha="right", va="top" if place < 0 else "bottom", fontsize=8.5)  # fmt: skip
    _people_axis(axes, [*seen["year"], *ahead["year"]], max(finite([*seen["students"], *fan["upper"]])), language)


def _enrolment_legend(page: Sheet, language: str) -> None:
    handles = [
        Line2D([], [], color=INK, marker="o", markersize=4, label=say("enrolment_seen", language)),
        Line2D([], [], color=BLUE, linestyle=LINES[1], label=say("enrolment_ahead", language)),
        Patch(facecolor="#CFE2F2", label=say("low_high", language)),
    ]
    page.strip(0.3).legend(handles=handles, loc="center left", ncols=3, columnspacing=1.4, borderaxespad=0.2)


def _enrolment_alt(
    title: str, stages: list[str], changes: list[tuple[pd.Series, pd.Series]], language: str
) -> str:
    parts = [title]
    for stage, (_, after) in zip(stages, changes, strict=True):
        low, high = (number(round(after[c]), language) for c in ("lower", "upper"))
        interval = say("interval", language, low=low, high=high)
        parts.append(say("enrolment_alt", language, stage=word("stage", stage, language), interval=interval))
    return say("sentence_join", language).join(parts) + say("full_stop", language)


def finance_chart(
    finance: pd.DataFrame,
    language: str = "zh",
    *,
    never_falls: Sequence[str] | None = None,
    simulated: bool = False,
    note: str = "",
) -> Picture:
    """Draw the money of education by year; every fall is marked and named.

    Parameters
    ----------
    finance : DataFrame
        ``item, year, value, unit``, as in ``finance.csv``.
    language, simulated, note
        As in :func:`planlib.figures.progress_bullets`.
    never_falls : sequence of str, optional
        Items that may only rise (两个只增不减 and the like); the finding is about these. By default all items.

    Returns
    -------
    Picture

    Raises
    ------
    DataError
        If a column is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> money = pd.DataFrame({"item": "education_share_pct", "year": [2020, 2021, 2022], "value": [21.25, 21.4, 21.1], "unit": "%"})
    >>> finance_chart(money, "en").title
    '2020–2022: 0 of 1 items never fell; fell: Education share of expenditure (2022)'
    """
    check_language(language)
    need(finance, ["item", "year", "value", "unit"], "finance_chart")
    rows = (
        finance[finance["value"].notna()]
        .sort_values(["item", "year"])
        .drop_duplicates(["item", "year"], keep="last")
    )
    if rows.empty:
        return no_data("finance_chart", language, simulated, finance)
    rows = rows.assign(is_fall=rows.groupby("item")["value"].diff().lt(0))
    title = _finance_title(rows, never_falls, language)
    panels = _money_panels(rows["item"])
    with style():
        lines = -(-len(panels) // 3)
        page = sheet(9.7, 2.15 * lines + 0.1, title, language, say("finance_how", language), note, simulated)
        page.constrain(wspace=0.05, hspace=0.08)
        grid = page.figure.subplots(lines, 3, squeeze=False).ravel()
        for axes, items in zip(grid, panels, strict=False):
            _money_panel(axes, rows, items, language)
        for axes in grid[len(panels) :]:
            axes.set_visible(False)
        return page.picture(_finance_alt(title, rows, language), rows)


def _money_panels(items: pd.Series) -> list[list[str]]:
    found = list(dict.fromkeys(items))
    known = [[i for i in panel if i in found] for panel in _MONEY]
    others = [[i] for i in found if not any(i in panel for panel in _MONEY)]
    return [panel for panel in known if panel] + others


def _finance_title(rows: pd.DataFrame, never_falls: Sequence[str] | None, language: str) -> str:
    judged = rows if never_falls is None else rows[rows["item"].isin(never_falls)]
    falls = judged[judged["is_fall"]].groupby("item", sort=False)["year"].agg(list)
    total = judged["item"].nunique()
    named = [
        say("fall", language, item=optional_word("finance_item", str(item), language), years=listed(map(str, years), language, 9))
        for item, years in falls.items()
    ]  # fmt: skip
    values = {
        "first": int(rows["year"].min()),
        "last": int(rows["year"].max()),
        "total": total,
        "good": total - len(falls),
    }
    code = "finance_title" if named else "finance_title_none"
    return say(code, language, falls=listed(named, language, 3), **values)


def _money_panel(axes: Axes, rows: pd.DataFrame, items: list[str], language: str) -> None:
    unit = rows.loc[rows["item"].eq(items[0]), "unit"].iloc[0]
    for place, item in enumerate(items):
        mine = rows[rows["item"].eq(item)]
        axes.plot(mine["year"], mine["value"], color=_LINE_COLOURS[place % 4], linestyle=LINES[place % 4],
                  marker=_LINE_SHAPES[place % 4], markersize=4, linewidth=1.6)  # fmt: skip
        falls = mine[mine["is_fall"]]
        axes.plot(falls["year"], falls["value"], "v", markersize=9, markerfacecolor="none", markeredgecolor=VERMILION,
                  markeredgewidth=1.6)  # fmt: skip
        last = mine.iloc[-1]
        short = say("line_end", language, name=optional_word("finance_short", item, language),
                    value=_amount(last["value"], unit, language)) if len(items) > 1 else _amount(last["value"], unit, language)  # fmt: skip
        axes.annotate(
            short, (last["year"], last["value"]), (5, 0), textcoords="offset points", va="center", fontsize=8
        )
    values = rows.loc[rows["item"].isin(items), ["year", "value"]]
    _money_axis(axes, values, len(items) > 1, language)
    name = (
        optional_word("finance_panel", items[0], language)
        if len(items) > 1
        else optional_word("finance_item", items[0], language)
    )
    axes.set_title(say("name_unit", language, name=name, unit=unit_name(unit, language)))


def _amount(value: float, unit: object, language: str) -> str:
    return f"{number(value, language, 2)}%" if unit_name(unit, language) == "%" else number(value, language)


def _money_axis(axes: Axes, values: pd.DataFrame, has_names: bool, language: str) -> None:
    first, last = int(values["year"].min()), int(values["year"].max())
    low, high = values["value"].min(), values["value"].max()
    room = max(high - low, abs(high) * 0.05)
    axes.set(
        xlim=(first - 0.3, last + max(last - first, 1) * (0.62 if has_names else 0.36)),
        ylim=(low - room * 0.35, high + room * 0.3),
    )
    axes.set_xticks(range(first, last + 1, max(1, -(-(last - first) // 4))))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axis_numbers(axes.yaxis, language)
    axes.grid(axis="y")
    axes.tick_params(length=0)


def _finance_alt(title: str, rows: pd.DataFrame, language: str) -> str:
    parts = [title]
    for item, mine in rows.groupby("item", sort=False):
        first, last = mine.iloc[0], mine.iloc[-1]
        parts.append(
            say("finance_alt", language, item=optional_word("finance_item", str(item), language), first_year=int(first["year"]),
                first=_amount(first["value"], first["unit"], language), last_year=int(last["year"]),
                last=_amount(last["value"], last["unit"], language))
        )  # fmt: skip
    return say("sentence_join", language).join(parts) + say("full_stop", language)
