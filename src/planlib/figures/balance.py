"""Balance between schools: coefficients over the years, and every school against a threshold."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from planlib.figures import marks
from planlib.figures.lettering import INK, QUIET, style, width_em, wrap
from planlib.figures.marks import GREY, HALO, LINES, ORANGE, STAGE, VERMILION, Mark
from planlib.figures.picture import Picture, Sheet, no_data, sheet
from planlib.words import (
    capital,
    check_language,
    finite,
    listed,
    need,
    number,
    percent,
    resource_name,
    resource_unit,
    say,
    sentences,
    word,
)

COMPOSITE = "composite"
# The standard compares unrounded values with this tolerance (methods: thresholds).
TOLERANCE = 1e-9

_CLIP = 2.5
_SCHOOL = {
    "above": Mark("o", GREY),
    "between": Mark("v", ORANGE),
    "below": Mark("X", VERMILION),
}


def balance_by_year(
    balance_table: pd.DataFrame,
    caps: Mapping[str, float],
    targets: Mapping[str, float] | None = None,
    language: str = "zh",
    *,
    names: Mapping[str, str] | None = None,
    simulated: bool = False,
    note: str = "",
) -> Picture:
    """Draw the coefficients of variation by resource and year, each stage a line, with cap and target.

    Small multiples: one panel per resource with the cap of each stage, and the composite with the plan's target.

    Parameters
    ----------
    balance_table : DataFrame
        Long: ``stage, year, resource, cv``; the resource ``composite`` is the composite coefficient.
    caps : mapping
        Stage → highest coefficient that passes, of each single resource.
    targets : mapping, optional
        Stage → the plan's target of the composite.
    language, simulated, note
        As in :func:`planlib.figures.progress_bullets`, as are what is returned and raised.
    names : mapping, optional
        Resource → name, for resources that ``standards.yml`` does not know.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"stage": "primary", "year": [2020, 2023], "resource": "books", "cv": [0.52, 0.41]})
    >>> balance_by_year(table, {"primary": 0.50}, language="en").title
    '2023: all coefficients are within the cap: primary 1 of 1'
    """
    check_language(language)
    need(balance_table, ["stage", "year", "resource", "cv"], "balance_by_year")
    rows = balance_table[balance_table["cv"].notna()]
    if rows.empty:
        return no_data("balance_by_year", language, simulated, balance_table)
    title = _balance_title(rows, caps, language)
    stages = marks.known(rows["stage"], STAGE, "stages")
    resources = _composite_last(rows["resource"])
    with style():
        lines = -(-len(resources) // 4)
        page = sheet(9.7, 2.05 * lines + 0.1, title, language, say("balance_how", language), note, simulated, 0.32)
        _stage_legend(page, stages, caps, targets or {}, language)
        page.constrain(wspace=0.03, hspace=0.06)
        grid = page.figure.subplots(lines, 4, sharex=True, sharey=True, squeeze=False).ravel()
        top = 1.12 * max([*finite(rows["cv"]), *(caps[s] for s in stages if s in caps)])
        for axes, resource in zip(grid, resources, strict=False):
            panel = rows[rows["resource"].eq(resource)]
            limits = (targets or {}) if resource == COMPOSITE else caps
            _balance_panel(axes, panel, stages, limits, resource == COMPOSITE, top)
            axes.set_title(resource_name(resource, language, names), fontsize=9.5)
        for axes in grid[len(resources) :]:
            axes.set_visible(False)
        return page.picture(_balance_alt(title, rows, stages, language), rows, "balance_by_year")


def _composite_last(resources: pd.Series) -> list[str]:
    found = list(dict.fromkeys(resources))
    return [r for r in found if r != COMPOSITE] + [r for r in found if r == COMPOSITE]


def _balance_title(rows: pd.DataFrame, caps: Mapping[str, float], language: str) -> str:
    latest = rows[rows["year"].eq(rows["year"].max())]
    single = latest[latest["resource"].ne(COMPOSITE) & latest["stage"].isin(caps)]
    cap = single["stage"].map(dict(caps))
    is_over = single["cv"] > cap + TOLERANCE
    parts = [
        say(
            "balance_stage",
            language,
            stage=word("stage", stage, language),
            good=int((~is_over)[mine].sum()),
            total=int(mine.sum()),
        )
        for stage in STAGE
        if (mine := single["stage"].eq(stage)).any()
    ]
    code = "balance_title_over" if is_over.any() else "balance_title"
    return say(
        code, language, year=int(rows["year"].max()), stages=listed(parts, language, 9), over=int(is_over.sum())
    )


def _balance_panel(
    axes: Axes, panel: pd.DataFrame, stages: list[str], limits: Mapping[str, float], is_composite: bool, top: float
) -> None:
    ends = []
    for line, stage in zip(LINES, stages, strict=False):
        mine = panel[panel["stage"].eq(stage)].sort_values("year")
        if mine.empty:
            continue
        look = STAGE[stage]
        axes.plot(
            mine["year"],
            mine["cv"],
            color=look.colour,
            linestyle=line,
            marker=look.shape,
            markersize=4.2,
            linewidth=1.6,
        )
        ends.append((mine["year"].iloc[-1], mine["cv"].iloc[-1], f"{mine['cv'].iloc[-1]:.3f}"))
        if stage in limits:
            axes.axhline(limits[stage], color=look.colour, linestyle=(0, (1, 1.5)), linewidth=1.3, alpha=0.9)
    marks.end_labels(axes, ends, top, top * 0.03)
    years = sorted(panel["year"].unique())
    step = -(-len(years) // 4) if len(years) > 5 else 1
    axes.set_xlim(years[0] - 0.4, years[-1] + max(0.3 * (years[-1] - years[0]), 0.9))
    axes.set_xticks(years[::-1][::step][::-1])
    axes.set_ylim(0, top)
    axes.label_outer()
    axes.grid(axis="y")
    axes.tick_params(length=0)
    if is_composite:
        axes.set_facecolor("#F3F3F3")


def _stage_legend(
    page: Sheet, stages: list[str], caps: Mapping[str, float], targets: Mapping[str, float], language: str
) -> None:
    handles = [
        Line2D(
            [],
            [],
            color=STAGE[s].colour,
            linestyle=line,
            marker=STAGE[s].shape,
            label=capital(word("stage", s, language)),
        )
        for line, s in zip(LINES, stages, strict=False)
    ]
    shown, wanted = (
        listed([f"{word('stage', s, language)} {limits[s]:.2f}" for s in stages if s in limits], language, 9)
        for limits in (caps, targets)
    )
    label = say("legend_cap_target" if targets else "legend_cap", language, caps=shown, targets=wanted)
    handles.append(Line2D([], [], color=INK, linestyle=(0, (1, 1.5)), label=label))
    page.legend(handles, handlelength=2.6)


def _balance_alt(title: str, rows: pd.DataFrame, stages: list[str], language: str) -> str:
    parts = [title]
    for stage in stages:
        mine = rows[rows["stage"].eq(stage) & rows["resource"].eq(COMPOSITE)].sort_values("year")
        if len(mine):
            first, last = mine.iloc[0], mine.iloc[-1]
            parts.append(
                say(
                    "balance_alt",
                    language,
                    stage=word("stage", stage, language),
                    first=f"{first['cv']:.3f}",
                    first_year=int(first["year"]),
                    last=f"{last['cv']:.3f}",
                    last_year=int(last["year"]),
                )
            )
    return sentences(parts, language)


def school_strip(
    stage_resources: pd.DataFrame,
    thresholds: pd.DataFrame,
    language: str = "zh",
    *,
    names: Mapping[str, str] | None = None,
    simulated: bool = False,
    note: str = "",
) -> Picture:
    """Draw every school's resources per pupil against the threshold and its floor, one strip per resource.

    Values are divided by the threshold, so that metres and yuan share one axis: 100 % is the threshold; schools
    beyond 250 % are drawn at the edge.

    Parameters
    ----------
    stage_resources : DataFrame
        Long: ``stage, school_id, resource, value`` (per pupil or per hundred, as the threshold), optionally
        ``school_name``; schools below the floor are named by it.
    thresholds : DataFrame
        ``stage, resource, threshold, floor``.
    language, names, simulated, note
        As in :func:`balance_by_year`.

    Examples
    --------
    >>> import pandas as pd
    >>> schools = pd.DataFrame({"stage": "primary", "school_id": ["a", "b"], "resource": "books", "value": [30.0, 20.0]})
    >>> rule = pd.DataFrame({"stage": ["primary"], "resource": ["books"], "threshold": [25.0], "floor": [21.25]})
    >>> school_strip(schools, rule, "en").title
    'Values below the threshold: 1 of 2; below the floor: 1'
    """
    check_language(language)
    need(stage_resources, ["stage", "school_id", "resource", "value"], "school_strip")
    need(thresholds, ["stage", "resource", "threshold", "floor"], "school_strip")
    rows = stage_resources.merge(thresholds, on=["stage", "resource"], how="inner", validate="many_to_one")
    rows = rows[rows["value"].notna()].reset_index(drop=True)
    if rows.empty:
        return no_data("school_strip", language, simulated, rows)
    rows["share"] = rows["value"] / rows["threshold"]
    rows["class"] = _school_class(rows)
    total = rows["class"].value_counts()
    values = {
        "total": len(rows),
        "below": int(total.get("below", 0)),
        "under": int(len(rows) - total.get("above", 0)),
    }
    title = say("strip_title" if values["under"] else "strip_title_all", language, **values)
    how = say("strip_how", language, floor=percent((rows["floor"] / rows["threshold"]).median(), language))
    stages = marks.known(rows["stage"], STAGE, "stages")
    resources = list(dict.fromkeys(rows["resource"]))
    with style():
        page = sheet(9.7, 0.5 * len(resources) + 0.75, title, language, how, note, simulated, 0.3)
        _school_legend(page, total, language)
        page.constrain(wspace=0.04)
        grid = page.figure.subplots(1, len(stages), sharey=True, squeeze=False)[0]
        for axes, stage in zip(grid, stages, strict=True):
            _strip_panel(axes, rows[rows["stage"].eq(stage)], resources, stage, language)
        labels = [wrap(resource_name(r, language, names), 11) for r in resources]
        grid[0].set_yticks(range(len(resources) - 1, -1, -1), labels)
        grid[0].tick_params(axis="y", labelcolor=INK, labelsize=9)
        return page.picture(_strip_alt(title, rows, language, names), rows, "school_strip")


def _school_class(rows: pd.DataFrame) -> pd.Series:
    is_above = rows["value"] >= rows["threshold"] - TOLERANCE
    is_floor = rows["value"] >= rows["floor"] - TOLERANCE
    return pd.Series(np.select([is_above, is_floor], ["above", "between"], "below"), index=rows.index)


def _strip_panel(axes: Axes, rows: pd.DataFrame, resources: list[str], stage: str, language: str) -> None:
    for y, resource in zip(range(len(resources) - 1, -1, -1), resources, strict=True):
        mine = rows[rows["resource"].eq(resource)].sort_values(["share", "school_id"])
        axes.axhline(y, color="#EFEFEF", linewidth=0.8, zorder=0)
        for code, look in _SCHOOL.items():
            dots = mine[mine["class"].eq(code)]
            axes.scatter(
                dots["share"].clip(upper=_CLIP),
                y + _spread(dots["school_id"]),
                marker=look.shape,
                s=26 if code != "above" else 16,
                color=look.colour,
                alpha=0.55 if code == "above" else 1,
                linewidth=0.4,
                edgecolor="white",
                zorder=4,
            )
        if len(mine):
            _strip_words(axes, y, mine, language)
    floor = (rows["floor"] / rows["threshold"]).median()
    axes.axvline(1, color=INK, linewidth=1.4)
    axes.axvline(floor, color=INK, linewidth=1.1, linestyle=(0, (3, 2)))
    axes.set(xlim=(min(0.5, rows["share"].min() - 0.08), _CLIP + 0.06), ylim=(-0.6, len(resources) - 0.35))
    ticks = [t for t in (0.5, 1.0, 1.5, 2.0, 2.5) if t >= axes.get_xlim()[0]]
    axes.set_xticks(ticks, [f"{t:.0%}" if t < _CLIP else f"≥{t:.0%}" for t in ticks])
    axes.set_xlabel(say("strip_axis", language))
    schools = rows["school_id"].nunique()
    axes.set_title(say("strip_panel", language, stage=capital(word("stage", stage, language)), schools=schools))
    axes.tick_params(length=0)
    axes.spines["left"].set_visible(False)


def _spread(keys: pd.Series) -> np.ndarray:
    """Heights that keep dots apart: by rank, not by chance, so that the same schools give the same picture."""
    return 0.17 * np.sin(np.arange(len(keys)) * 2.4)


def _strip_words(axes: Axes, y: int, mine: pd.DataFrame, language: str) -> None:
    threshold = mine["threshold"].iloc[0]
    value = number(threshold, language, None if threshold == round(threshold) else 1)
    unit = resource_unit(str(mine["resource"].iloc[0]), language)
    label = say("strip_threshold", language, value=value, unit=unit)
    axes.text(_CLIP + 0.05, y - 0.34, label, ha="right", va="center", fontsize=7.5, color=QUIET)
    below = mine[mine["class"].eq("below")]
    if len(below):
        column = "school_name" if "school_name" in below else "school_id"
        names = listed([str(n) for n in below[column]], language, 2, "list_more_schools")
        axes.text(below["share"].iloc[0], y + 0.36, names, va="center", fontsize=7.5, path_effects=HALO, zorder=6)


def _school_legend(page: Sheet, total: pd.Series, language: str) -> None:
    table = page.strip(0.3)
    x = 0.25
    for code, look in _SCHOOL.items():
        label = f"{say('school_' + code, language)} {total.get(code, 0)}"
        marks.draw(table, x, 0.5, look, 6.5)
        table.text(x + 0.12, 0.5, label, va="center", fontsize=9)
        x += 0.12 + width_em(label) * 9 / 72 + 0.35


def _strip_alt(title: str, rows: pd.DataFrame, language: str, names: Mapping[str, str] | None) -> str:
    parts = [title]
    for (stage, resource), mine in rows[rows["class"].ne("above")].groupby(["stage", "resource"], sort=False):
        label = f"{capital(word('stage', str(stage), language))} {resource_name(str(resource), language, names)}"
        below = int(mine["class"].eq("below").sum())
        parts.append(say("strip_alt", language, name=label, under=len(mine), below=below))
    return sentences(parts, language)
