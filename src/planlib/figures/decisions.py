"""What drives a coefficient, and what a plan of transfers changes: bars by school, dots before and after."""

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from planlib.figures import marks
from planlib.figures.lettering import INK, QUIET, style, wrap
from planlib.figures.marks import BLUE, GREY, ORANGE, PALE, SKY, STAGE, Mark
from planlib.figures.picture import Picture, no_data, sheet
from planlib.words import (
    capital,
    check_language,
    listed,
    need,
    number,
    percent,
    resource_counted,
    resource_name,
    resource_unit,
    say,
    sentences,
    word,
)

_MORE, _LESS, _REST = Mark("o", BLUE), Mark("v", ORANGE, hatch="////"), Mark("o", PALE, hatch="", edge=GREY)
_BARS = 10


def contributions_chart(
    contributions: pd.DataFrame, language: str = "zh", *, simulated: bool = False, note: str = ""
) -> Picture:
    """Draw each school's share of CV² as a bar: the ten largest, and the others together; one panel a stage.

    Parameters
    ----------
    contributions : DataFrame
        ``stage, resource, school_name, share, relative`` (ratio over the mean); one resource a stage.
    language, simulated, note
        As in :func:`planlib.figures.progress_bullets`, as are what is returned and raised.

    Examples
    --------
    >>> rows = pd.DataFrame({"stage": "primary", "resource": "books", "school_name": ["a", "b", "c"],
    ...                      "share": [0.7, 0.2, 0.1], "relative": [1.5, 0.8, 1.1]})
    >>> contributions_chart(rows, "en").title
    'Share of all differences that the three largest contributors make: primary (Books) 100%'
    """
    check_language(language)
    need(contributions, ["stage", "resource", "school_name", "share", "relative"], "contributions_chart")
    rows = contributions[contributions["share"].notna()].reset_index(drop=True)
    if rows.empty:
        return no_data("contributions_chart", language, simulated, rows)
    stages = marks.known(rows["stage"], STAGE, "stages")
    panels = {stage: _largest(rows[rows["stage"].eq(stage)], language) for stage in stages}
    parts = [_top_three(rows[rows["stage"].eq(stage)], stage, language) for stage in stages]
    title = say("contributions_title", language, stages=listed(parts, language, 9))
    lines = max(len(panel) for panel in panels.values())
    with style():
        page = sheet(
            9.7, 0.3 * lines + 0.75, title, language, say("contributions_how", language), note, simulated, 0.3
        )
        page.legend(
            [marks.patch(m, say(f"contributions_{c}", language)) for c, m in (("more", _MORE), ("less", _LESS))]
        )
        page.constrain(wspace=0.06)
        grid = page.figure.subplots(1, len(stages), squeeze=False)[0]
        most = max(panel["share"].max() for panel in panels.values())
        for axes, stage in zip(grid, stages, strict=True):
            _bars(axes, panels[stage], most, language)
            resource = resource_name(str(panels[stage]["resource"].iloc[0]), language)
            label = capital(word("stage", stage, language))
            axes.set_title(say("contributions_panel", language, stage=label, resource=resource))
        return page.picture(_contributions_alt(title, panels, language), rows, "contributions_chart")


def _largest(rows: pd.DataFrame, language: str) -> pd.DataFrame:
    ordered = rows.sort_values(["share", "school_name"], ascending=[False, True])
    top, rest = ordered.head(_BARS), ordered.iloc[_BARS:]
    if rest.empty:
        return top
    name = say("contributions_rest", language, count=len(rest))
    others = {"stage": top["stage"].iloc[0], "resource": top["resource"].iloc[0], "school_name": name}
    last = pd.DataFrame([{**others, "share": rest["share"].sum(), "relative": np.nan}])
    return pd.concat([top[last.columns], last], ignore_index=True)


def _top_three(rows: pd.DataFrame, stage: str, language: str) -> str:
    resource = resource_name(str(rows["resource"].iloc[0]), language)
    share = percent(rows["share"].nlargest(3).sum(), language)
    return say(
        "contributions_stage", language, stage=word("stage", stage, language), resource=resource, share=share
    )


def _bars(axes: Axes, panel: pd.DataFrame, most: float, language: str) -> None:
    for y, row in enumerate(panel[::-1].itertuples()):
        look = _REST if pd.isna(row.relative) else _MORE if row.relative >= 1 else _LESS
        axes.barh(
            y, row.share, height=0.66, color=look.colour, hatch=look.hatch, edgecolor=look.edge, linewidth=0.6
        )
        told = percent(row.share, language, 1)
        if not pd.isna(row.relative):
            told = say("contributions_label", language, share=told, relative=percent(row.relative, language))
        axes.text(row.share + most * 0.015, y, told, va="center", fontsize=8, color=INK)
    axes.set_yticks(range(len(panel)), [wrap(str(n), 15) for n in panel["school_name"][::-1]], fontsize=8.5)
    axes.set(xlim=(0, most * 1.45), ylim=(-0.6, len(panel) - 0.4))
    axes.set_xticks([])
    axes.tick_params(length=0, labelcolor=INK)
    axes.spines[["bottom", "top", "right"]].set_visible(False)


def _contributions_alt(title: str, panels: dict[str, pd.DataFrame], language: str) -> str:
    parts = [title]
    for stage, panel in panels.items():
        top = panel[panel["relative"].notna()].head(3)
        items = [f"{r.school_name} {percent(r.share, language, 1)}" for r in top.itertuples()]
        name = capital(word("stage", stage, language))
        parts.append(say("alt_row", language, name=name, items=listed(items, language, 3)))
    return sentences(parts, language)


def before_after_chart(
    plan: pd.DataFrame, language: str = "zh", *, simulated: bool = False, note: str = ""
) -> Picture:
    """Draw every school's ratio before and after a plan of transfers, with the band that it leaves; a panel a stage.

    Parameters
    ----------
    plan : DataFrame
        One row a school: ``stage, resource, school, ratio_before, ratio_after`` (per pupil or per hundred),
        ``change`` (units), ``cv_before, cv_after`` (the same on all rows of a stage).
    language, simulated, note
        As in :func:`planlib.figures.progress_bullets`, as are what is returned and raised.

    Examples
    --------
    >>> rows = pd.DataFrame({"stage": "primary", "resource": "backbone_teachers", "school": ["a", "b"],
    ...                      "ratio_before": [1.0, 3.0], "ratio_after": [1.5, 2.5], "change": [5, -5],
    ...                      "cv_before": 0.5, "cv_after": 0.25})
    >>> before_after_chart(rows, "en").title
    'Moving as little as the target needs: primary 5 teachers, coefficient 0.500 to 0.250'
    """
    columns = ["stage", "resource", "school", "ratio_before", "ratio_after", "change", "cv_before", "cv_after"]
    check_language(language)
    need(plan, columns, "before_after_chart")
    rows = plan[plan["ratio_before"].notna()].reset_index(drop=True)
    if rows.empty:
        return no_data("before_after_chart", language, simulated, rows)
    stages = marks.known(rows["stage"], STAGE, "stages")
    parts = [_moved(rows[rows["stage"].eq(stage)], stage, language) for stage in stages]
    title = say("moves_title", language, stages=say("moves_join", language).join(parts))
    with style():
        page = sheet(9.7, 2.9, title, language, say("moves_how", language), note, simulated, 0.3)
        page.legend(_move_legend(language))
        page.constrain(wspace=0.06)
        grid = page.figure.subplots(1, len(stages), squeeze=False)[0]
        for axes, stage in zip(grid, stages, strict=True):
            mine = rows[rows["stage"].eq(stage)].sort_values(["ratio_before", "school"], ignore_index=True)
            _dots(axes, mine)
            axes.set_title(_measured(str(mine["resource"].iloc[0]), stage, language))
            axes.set_xlabel(say("moves_axis", language, schools=len(mine)))
        return page.picture(_moves_alt(title, rows, stages, language), rows, "before_after_chart")


def _measured(resource: str, stage: str, language: str) -> str:
    named, unit = resource_name(resource, language), resource_unit(resource, language)
    named = say("name_unit", language, name=named, unit=unit) if unit else named
    label = capital(word("stage", stage, language))
    return say("contributions_panel", language, stage=label, resource=named)


def _moved(rows: pd.DataFrame, stage: str, language: str) -> str:
    resource = str(rows["resource"].iloc[0])
    amount = number(round(rows["change"].clip(lower=0).sum()), language)
    amount = say("moves_amount", language, amount=amount, unit=resource_counted(resource, language)).strip()
    before, after = (f"{rows[c].iloc[0]:.3f}" for c in ("cv_before", "cv_after"))
    return say(
        "moves_stage", language, stage=word("stage", stage, language), amount=amount, before=before, after=after
    )


def _dots(axes: Axes, rows: pd.DataFrame) -> None:
    given, taken = rows["change"] < 0, rows["change"] > 0
    if (given | taken).any():
        low = rows.loc[taken, "ratio_after"].min() if taken.any() else rows["ratio_after"].min()
        high = rows.loc[given, "ratio_after"].max() if given.any() else rows["ratio_after"].max()
        axes.axhspan(low, high, color=SKY, alpha=0.18, linewidth=0, zorder=0)
    for place, row in rows[given | taken].iterrows():
        ends = (row["ratio_before"], row["ratio_after"])
        axes.annotate(
            "", (place, ends[1]), (place, ends[0]), arrowprops={"arrowstyle": "-", "color": GREY, "lw": 1.0}
        )
    still = rows[~(given | taken)]
    axes.plot(still.index, still["ratio_before"], "o", color=GREY, markersize=3.2, alpha=0.7, linestyle="none")
    for mine, look in ((given, _MORE), (taken, _LESS)):
        moved = rows[mine]
        axes.plot(
            moved.index, moved["ratio_before"], look.shape, markersize=4.6, markerfacecolor="white",
            markeredgecolor=look.colour, markeredgewidth=1.1, linestyle="none",
        )  # fmt: skip
        axes.plot(
            moved.index, moved["ratio_after"], look.shape, color=look.colour, markersize=4.6, linestyle="none"
        )
    axes.set_ylim(0, 1.06 * float(rows[["ratio_before", "ratio_after"]].max(axis=None)))
    axes.set_xticks([])
    axes.tick_params(length=0, labelcolor=QUIET)
    axes.grid(axis="y")


def _move_legend(language: str) -> list[Artist]:
    looks = [("moves_gives", _MORE), ("moves_takes", _LESS)]
    handles = [
        Line2D([], [], color=m.colour, marker=m.shape, linestyle="none", label=say(code, language))
        for code, m in looks
    ]
    still = Line2D(
        [], [], color=GREY, marker="o", markersize=4, linestyle="none", label=say("moves_still", language)
    )
    band = marks.patch(Mark("s", "#DDEFFA", edge=SKY), say("moves_band", language))
    return [*handles, still, band]


def _moves_alt(title: str, rows: pd.DataFrame, stages: list[str], language: str) -> str:
    parts = [title]
    for stage in stages:
        mine = rows[rows["stage"].eq(stage)]
        told = {"gives": int((mine["change"] < 0).sum()), "takes": int((mine["change"] > 0).sum())}
        parts.append(say("moves_alt", language, stage=capital(word("stage", stage, language)), **told))
    return sentences(parts, language)
