"""Pupils and places: what is counted, what is projected, where it is short."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from planlib.figures import marks
from planlib.figures.lettering import INK, QUIET, axis_numbers, style, wrap
from planlib.figures.marks import BLUE, GREY, LINES, STAGE, VERMILION
from planlib.figures.picture import Picture, Sheet, no_data, sheet
from planlib.words import (
    capital,
    check_language,
    finite,
    is_missing,
    listed,
    need,
    number,
    say,
    sentences,
    signed_percent,
    word,
)


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
        ``stage, year, students, seats``, optionally ``lower, upper`` (low and high projection); areas are added up.
    language, simulated, note
        As in :func:`planlib.figures.progress_bullets`, as are what is returned and raised.
    known_until : int, optional
        Last year of observations; later years are marked as projected.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"stage": "primary", "year": [2022, 2025], "students": [900, 1100], "seats": [1000, 1000]})
    >>> seats_chart(frame, "en").title
    'Largest shortage of places: primary 100 in 2025'
    """
    check_language(language)
    need(seats, ["stage", "year", "students", "seats"], "seats_chart")
    rows = _whole_district(seats[seats["students"].notna() & seats["seats"].notna()])
    if rows.empty:
        return no_data("seats_chart", language, simulated, seats)
    worst = _worst_shortage(rows, language)
    title = say(
        "seats_title" if worst else "seats_title_none",
        language,
        worst=listed(worst, language, 9),
        year=int(rows["year"].max()),
    )
    stages = marks.known(rows["stage"], STAGE, "stages")
    with style():
        how = ""
        if known_until is not None and known_until < rows["year"].min():
            how, known_until = say("all_projected", language, year=known_until), None
        page = sheet(9.7, 2.6, title, language, how, note, simulated, legend=0.32)
        _seats_legend(page, rows, known_until, language)
        page.constrain(wspace=0.05)
        for axes, stage in zip(_one_row(page, len(stages)), stages, strict=False):
            _seats_panel(axes, rows[rows["stage"].eq(stage)].sort_values("year"), known_until, language)
            axes.set_title(_stage_people(stage, language))
        return page.picture(_seats_alt(title, rows, stages, language), rows, "seats_chart")


def _whole_district(seats: pd.DataFrame) -> pd.DataFrame:
    """Add areas up to one row per stage and year."""
    columns = [c for c in ("students", "seats", "lower", "upper") if c in seats]
    return seats.groupby(["stage", "year"], sort=False, as_index=False)[columns].sum()


def _worst_shortage(rows: pd.DataFrame, language: str) -> list[str]:
    short = rows.assign(short=rows["students"] - rows["seats"])
    short = short[short["short"] > 0].sort_values("short", ascending=False).drop_duplicates("stage")
    return [
        say(
            "shortage",
            language,
            stage=word("stage", r["stage"], language),
            short=number(round(r["short"]), language),
            year=int(r["year"]),
        )
        for _, r in short.iterrows()
    ]


def _stage_people(stage: str, language: str) -> str:
    return say("name_unit", language, name=capital(word("stage", stage, language)), unit=say("people", language))


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
    axes.fill_between(
        years,
        students,
        seats,
        where=students > seats,
        interpolate=True,
        facecolor="none",
        hatch="////",
        edgecolor=VERMILION,
        linewidth=0,
    )
    # A single year has no line: a small square shows it.
    axes.plot(years, seats, color=INK, linewidth=2.0, linestyle=LINES[1], marker="s", markersize=3)
    axes.plot(years, students, color=BLUE, linewidth=1.8, marker="o", markersize=3.8)
    last = len(years) - 1
    for values, other in ((students, seats), (seats, students)):
        above = values[last] >= other[last]
        marks.near(axes, years[last], values[last], number(round(values[last]), language), 6 if above else -6)
    _projected(axes, known_until)
    shown = finite([*students, *seats, *rows.get("upper", [])])
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
    axes.grid(axis="y")
    axes.tick_params(length=0)


def _seats_legend(page: Sheet, rows: pd.DataFrame, known_until: int | None, language: str) -> None:
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=BLUE, marker="o", markersize=3.8, label=say("seats_students", language)),
        Line2D([], [], color=INK, linestyle=LINES[1], lw=2, marker="s", ms=3, label=say("seats_seats", language)),
    ]
    if (rows["students"] > rows["seats"]).any():
        label = say("seats_short", language)
        handles.append(Patch(facecolor="none", hatch="////", edgecolor=VERMILION, linewidth=0, label=label))
    if "lower" in rows:
        handles.append(Patch(facecolor="#CFE2F2", label=say("low_high", language)))
    if known_until is not None:
        label = say("projected_after", language, year=known_until)
        handles.append(Line2D([], [], color=GREY, linestyle=(0, (2, 2)), label=label))
    page.legend(handles)


def _seats_alt(title: str, rows: pd.DataFrame, stages: list[str], language: str) -> str:
    parts = [title]
    for stage in stages:
        last = rows[rows["stage"].eq(stage)].sort_values("year").iloc[-1]
        parts.append(
            say(
                "seats_alt",
                language,
                stage=word("stage", stage, language),
                year=int(last["year"]),
                students=number(round(last["students"]), language),
                seats=number(round(last["seats"]), language),
            )
        )
    return sentences(parts, language)


def seats_by_area(
    seats: pd.DataFrame, year: int, language: str = "zh", *, simulated: bool = False, note: str = ""
) -> Picture:
    """Draw pupils against places in every area of the district, by stage, in one year.

    District totals hide a shortage next to a surplus; here each area is a row.

    Parameters
    ----------
    seats : DataFrame
        ``area, stage, year, students, seats``, optionally ``area_en``: its name in English.
    year : int
        The year drawn.
    language, simulated, note
        As in :func:`planlib.figures.progress_bullets`, as are what is returned and raised.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"area": ["North", "South"], "stage": "primary", "year": 2025, "students": [900, 1100],
    ...                       "seats": [1000, 1000]})
    >>> seats_by_area(frame, 2025, "en").title
    '2025: places are short in 1 of 2 area-stages, most in South (primary, 100)'
    """
    check_language(language)
    need(seats, ["area", "stage", "year", "students", "seats"], "seats_by_area")
    rows = seats[seats["year"].eq(year) & seats["students"].notna() & seats["seats"].notna()].reset_index(
        drop=True
    )
    if rows.empty:
        return no_data("seats_by_area", language, simulated, seats)
    if "area_en" in rows:  # whoever looks for a value calls the area as the figure does
        english = rows.pop("area_en")
        rows = rows if language == "zh" else pd.concat([english, rows], axis=1)
    rows["gap"] = rows["seats"] - rows["students"]
    title = _area_title(rows, year, language)
    stages = marks.known(rows["stage"], STAGE, "stages")
    called = dict(zip(rows["area"], rows[_area_column(rows)].astype("str"), strict=True))
    areas = sorted(rows["area"].unique(), key=lambda a: rows.loc[rows["area"].eq(a), "gap"].sum())
    with style():
        page = sheet(9.7, 0.34 * len(areas) + 0.85, title, language, "", note, simulated, legend=0.32)
        _area_legend(page, language)
        page.constrain(wspace=0.04)
        grid = page.figure.subplots(1, len(stages), sharey=True, squeeze=False)[0]
        for axes, stage in zip(grid, stages, strict=True):
            _area_panel(axes, rows[rows["stage"].eq(stage)].set_index("area").reindex(areas), language)
            axes.set_title(_stage_people(stage, language))
        grid[0].set_yticks(range(len(areas) - 1, -1, -1), [wrap(called[a], 12) for a in areas])
        grid[0].tick_params(axis="y", labelcolor=INK, labelsize=9)
        return page.picture(_area_alt(title, rows, language), rows, "seats_by_area")


def _area_column(rows: pd.DataFrame) -> str:
    return "area_en" if "area_en" in rows else "area"


def _area_title(rows: pd.DataFrame, year: int, language: str) -> str:
    worst = rows.loc[rows["gap"].idxmin()]
    short = int(rows["gap"].lt(0).sum())
    values = {
        "short": short,
        "area": worst[_area_column(rows)],
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
        axes.text(
            max(row["students"], row["seats"]) + top * 0.04,
            y,
            f"{sign}{number(abs(round(row['gap'])), language)}",
            va="center",
            fontsize=8.5,
            color=VERMILION if is_short else INK,
        )
    axes.set(xlim=(0, top * 1.3), ylim=(-0.6, len(rows) - 0.4))
    axes.xaxis.set_major_locator(MaxNLocator(3))
    axis_numbers(axes.xaxis, language)
    axes.tick_params(length=0)
    axes.spines["left"].set_visible(False)


def _area_legend(page: Sheet, language: str) -> None:
    handles = [
        Line2D([], [], color=BLUE, marker="o", linestyle="none", label=say("seats_students", language)),
        Line2D(
            [],
            [],
            color=INK,
            marker="|",
            markersize=11,
            markeredgewidth=2.2,
            linestyle="none",
            label=say("seats_seats", language),
        ),
        Line2D([], [], color=GREY, linewidth=2, label=say("area_spare", language)),
        Line2D([], [], color=VERMILION, linewidth=3.5, label=say("area_short", language)),
    ]
    page.legend(handles)


def _area_alt(title: str, rows: pd.DataFrame, language: str) -> str:
    parts = [title]
    for _, row in rows[rows["gap"].lt(0)].sort_values("gap").iterrows():
        stage = word("stage", row["stage"], language)
        parts.append(
            say(
                "area_alt",
                language,
                area=row[_area_column(rows)],
                stage=stage,
                short=number(round(-row["gap"]), language),
            )
        )
    return sentences(parts, language)


def enrolment_chart(
    history: pd.DataFrame,
    projection: pd.DataFrame,
    language: str = "zh",
    *,
    simulated: bool = False,
    note: str = "",
) -> Picture:
    """Draw pupils by stage: what was counted, the projection with its band and its variants, and no change.

    Parameters
    ----------
    history : DataFrame
        ``stage, year, students``.
    projection : DataFrame
        ``stage, year, students, lower, upper``, optionally ``low, high`` (the variants) and ``naive``.
    language, simulated, note
        As in :func:`planlib.figures.progress_bullets`, as are what is returned and raised.

    Examples
    --------
    >>> import pandas as pd
    >>> seen = pd.DataFrame({"stage": "junior", "year": [2021, 2022], "students": [900, 1000]})
    >>> ahead = pd.DataFrame({"stage": "junior", "year": [2025], "students": [1100], "lower": [1050], "upper": [1150]})
    >>> enrolment_chart(seen, ahead, "en").title
    'Pupils by 2025, against 2022: junior secondary 1,100 (+10%)'
    """
    check_language(language)
    need(history, ["stage", "year", "students"], "enrolment_chart (history)")
    need(projection, ["stage", "year", "students", "lower", "upper"], "enrolment_chart (projection)")
    stages = marks.known(set(history["stage"]) & set(projection["stage"]), STAGE, "stages")
    if not stages:
        return no_data("enrolment_chart", language, simulated, projection)
    changes = [_change(history, projection, s) for s in stages]
    title = _enrolment_title(stages, changes, language)
    with style():
        page = sheet(9.7, 2.6, title, language, "", note, simulated, legend=0.32)
        _enrolment_legend(page, projection.columns, language)
        page.constrain(wspace=0.05)
        for axes, stage in zip(_one_row(page, len(stages)), stages, strict=False):
            seen, ahead = (f[f["stage"].eq(stage)].sort_values("year") for f in (history, projection))
            _enrolment_panel(axes, seen, ahead, language)
            axes.set_title(_stage_people(stage, language))
        data = pd.concat([history.assign(part="history"), projection.assign(part="projection")])
        return page.picture(_enrolment_alt(title, stages, changes, language), data, "enrolment_chart")


def _change(history: pd.DataFrame, projection: pd.DataFrame, stage: str) -> tuple[pd.Series, pd.Series]:
    """Last counted and last projected row of a stage."""
    seen, ahead = (f[f["stage"].eq(stage)].sort_values("year") for f in (history, projection))
    return seen.iloc[-1], ahead.iloc[-1]


def _enrolment_title(stages: list[str], changes: list[tuple[pd.Series, pd.Series]], language: str) -> str:
    words = [
        say(
            "enrolment_stage",
            language,
            stage=word("stage", stage, language),
            students=number(round(after["students"]), language),
            change=signed_percent(after["students"] / before["students"] - 1, language),
        )
        for stage, (before, after) in zip(stages, changes, strict=True)
    ]
    years = {"last": int(changes[0][1]["year"]), "first": int(changes[0][0]["year"])}
    return say("enrolment_title", language, stages=listed(words, language, 9), **years)


def _enrolment_panel(axes: Axes, seen: pd.DataFrame, ahead: pd.DataFrame, language: str) -> None:
    last = seen.iloc[-1]
    lines = [c for c in ("students", "lower", "upper", *_VARIANTS) if c in ahead]
    start = pd.DataFrame([{"year": last["year"], **dict.fromkeys(lines, last["students"])}])
    fan = pd.concat([start, ahead[["year", *lines]]], ignore_index=True).astype(float)
    for variant, look in _VARIANTS.items():
        if variant in ahead:
            axes.plot(fan["year"], fan[variant], **look)
    axes.fill_between(fan["year"], fan["lower"], fan["upper"], color="#CFE2F2", linewidth=0)
    axes.plot(fan["year"], fan["students"], color=BLUE, linestyle=LINES[1], linewidth=1.8)
    axes.plot(seen["year"], seen["students"], color=INK, marker="o", markersize=4, linewidth=1.5)
    # Above a falling line to the right of its start and below it to the left of its end no line runs; rising, mirrored.
    lift = 7 if fan["students"].iloc[-1] < last["students"] else -7
    band = fan[[c for c in lines if c != "naive"]].iloc[-1]
    ends = (
        (last, last["students"], lift, "left"),
        (fan.iloc[-1], band.min() if lift > 0 else band.max(), -lift, "right"),
    )
    for row, height, place, side in ends:
        marks.near(axes, row["year"], height, number(round(row["students"]), language), place, side)
    _people_axis(
        axes, [*seen["year"], *ahead["year"]], max(finite([*seen["students"], *fan[lines].max()])), language
    )


_CORNER = {"color": QUIET, "linewidth": 0.9, "linestyle": (0, (4, 2))}
_VARIANTS: dict[str, dict[str, Any]] = {
    "naive": {"color": INK, "linewidth": 1.2, "linestyle": (0, (1, 2))},
    "low": _CORNER,
    "high": _CORNER,
}


def _enrolment_legend(page: Sheet, has: Collection[str], language: str) -> None:
    handles = [
        Line2D([], [], color=INK, marker="o", markersize=4, label=say("enrolment_seen", language)),
        Line2D([], [], color=BLUE, linestyle=LINES[1], label=say("enrolment_ahead", language)),
        Patch(facecolor="#CFE2F2", label=say("low_high", language)),
    ]
    for variant, code in (("low", "enrolment_corner"), ("naive", "enrolment_naive")):
        if variant in has:
            handles.append(Line2D([], [], label=say(code, language), **_VARIANTS[variant]))
    page.legend(handles)


def _enrolment_alt(
    title: str, stages: list[str], changes: list[tuple[pd.Series, pd.Series]], language: str
) -> str:
    parts = [title]
    for stage, (_, after) in zip(stages, changes, strict=True):
        low, high = (number(round(after[c]), language) for c in ("lower", "upper"))
        interval = say("interval", language, low=low, high=high)
        parts.append(say("enrolment_alt", language, stage=word("stage", stage, language), interval=interval))
    return sentences(parts, language)
