"""The money of education, year by year."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from planlib.figures import marks
from planlib.figures.lettering import axis_numbers, style, wrap
from planlib.figures.marks import BLUE, GREEN, LINES, ORANGE, PURPLE, VERMILION
from planlib.figures.picture import Picture, no_data, sheet
from planlib.words import (
    check_language,
    listed,
    named_with_unit,
    need,
    number,
    optional_word,
    say,
    sentences,
    unit_name,
)

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
        As in :func:`planlib.figures.progress_bullets`, as are what is returned and raised.
    never_falls : sequence of str, optional
        Items that may only rise (两个只增不减 and the like); the finding is about these. By default all items.

    Examples
    --------
    >>> import pandas as pd
    >>> money = pd.DataFrame({"item": "education_share_pct", "year": [2020, 2021, 2022], "value": [21.25, 21.4, 21.1],
    ...                       "unit": "percent"})
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
        return page.picture(_finance_alt(title, rows, language), rows, "finance_chart")


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
        say(
            "fall",
            language,
            item=optional_word("finance_item", str(item), language),
            years=listed(map(str, years), language, 9),
        )
        for item, years in falls.items()
    ]
    values = {
        "first": int(rows["year"].min()),
        "last": int(rows["year"].max()),
        "total": total,
        "good": total - len(falls),
    }
    code = "finance_title" if named else "finance_title_none"
    if values["first"] == values["last"]:
        code = "finance_title_one_year"
    return say(code, language, falls=listed(named, language, 3), **values)


def _money_panel(axes: Axes, rows: pd.DataFrame, items: list[str], language: str) -> None:
    unit = rows.loc[rows["item"].eq(items[0]), "unit"].iloc[0]
    ends = []
    for item, colour, line, shape in zip(items, _LINE_COLOURS, LINES, _LINE_SHAPES, strict=False):
        mine = rows[rows["item"].eq(item)]
        axes.plot(
            mine["year"], mine["value"], color=colour, linestyle=line, marker=shape, markersize=4, linewidth=1.6
        )
        falls = mine[mine["is_fall"]]
        axes.plot(falls["year"], falls["value"], "v", ms=9, mfc="none", mec=VERMILION, mew=1.6)
        last = mine.iloc[-1]
        text = _amount(last["value"], unit, language)
        if len(items) > 1:
            text = say("line_end", language, name=optional_word("finance_short", item, language), value=text)
        ends.append((last["year"], last["value"], text))
    values = rows.loc[rows["item"].isin(items), ["year", "value"]]
    _money_axis(axes, values, len(items) > 1, language)
    low, high = axes.get_ylim()
    marks.end_labels(axes, ends, high - low)
    group = "finance_panel" if len(items) > 1 else "finance_item"
    axes.set_title(wrap(_with_unit(optional_word(group, items[0], language), unit, language), 24))


def _with_unit(name: str, unit: object, language: str) -> str:
    return named_with_unit({f"name_{language}": name, "unit": unit}, language)


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
            say(
                "finance_alt",
                language,
                item=optional_word("finance_item", str(item), language),
                first_year=int(first["year"]),
                first=_amount(first["value"], first["unit"], language),
                last_year=int(last["year"]),
                last=_amount(last["value"], last["unit"], language),
            )
        )
    return sentences(parts, language)
