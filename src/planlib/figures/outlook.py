"""What is likely to come, and how earlier forecasts turned out."""

import math
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from planlib.evaluate.meet import meets
from planlib.figures import marks
from planlib.figures.lettering import INK, QUIET, axis_numbers, style, wrap
from planlib.figures.marks import BLUE, GREEN, GREY, ORANGE, VERMILION, Mark
from planlib.figures.picture import Picture, Sheet, no_data, sheet
from planlib.words import (
    check_language,
    finite,
    is_missing,
    listed,
    name_of,
    named_with_unit,
    need,
    number,
    say,
    sentences,
    unit_name,
    with_unit,
    word,
)

# in grey a broken line is not mistaken for the median
_TARGET: dict[str, Any] = {"color": VERMILION, "linewidth": 1.8, "linestyle": (0, (7, 2, 1.5, 2))}
_BAND_80, _BAND_95 = "#7FB2D9", "#CFE2F2"
_SIGN = {"likely": "●", "at_risk": "▼", "unlikely": "✕"}
_INTERVALS = ["lower_80", "upper_80", "lower_95", "upper_95"]
_FORECAST = ["series_id", "year", "median", *_INTERVALS]

_HIT = {
    "inside_80": Mark("o", GREEN),
    "inside_95": Mark("v", ORANGE),
    "outside": Mark("X", VERMILION),
}
_REACH = 2.6


def fan_chart(
    history: pd.DataFrame,
    forecast: pd.DataFrame,
    series: pd.DataFrame,
    baseline_year: int,
    target_year: int,
    language: str = "zh",
    *,
    columns: int = 3,
    simulated: bool = False,
    note: str = "",
) -> Picture:
    """Draw what was seen, what is likely, what is wanted and the straight way there, one panel per series.

    Dots are observations; the line is the median of the forecast with its 80 % and 95 % intervals; the dotted line carries
    the last value on (or is the column ``naive``); the thick line is the target, the dashed one the required path.

    Parameters
    ----------
    history : DataFrame
        ``series_id, year, value``; only what was known at the cutoff.
    forecast : DataFrame
        ``series_id, year, median, lower_80, upper_80, lower_95, upper_95``, optionally ``naive``.
    series : DataFrame
        One panel per row, in this order: ``series_id, name_zh, name_en, unit, baseline, target, target_relation,
        direction, precision``, optionally ``outlook`` (likely, at_risk, unlikely).
    baseline_year, target_year : int
        Where the required path begins and ends.
    language, simulated, note
        As in :func:`planlib.figures.progress_bullets`, as are what is returned and raised.
    columns : int
        Panels in a row.

    Examples
    --------
    >>> import pandas as pd
    >>> seen = pd.DataFrame({"series_id": "a", "year": [2020, 2021, 2022], "value": [76.0, 78.0, 80.0]})
    >>> ahead = pd.DataFrame([{"series_id": "a", "year": 2025, "median": 85.5, "lower_80": 84, "upper_80": 87,
    ...                        "lower_95": 83, "upper_95": 88}])
    >>> row = pd.DataFrame([{"series_id": "a", "name_en": "Public kindergartens", "unit": "%", "baseline": 76.0,
    ...                      "target": 85.0, "target_relation": ">", "direction": "rise", "precision": 2}])
    >>> fan_chart(seen, ahead, row, 2020, 2025, "en").title
    'By 2025 the median of the forecast reaches the target in 1 of 1 series'
    """
    check_language(language)
    need(history, ["series_id", "year", "value"], "fan_chart (history)")
    need(forecast, _FORECAST, "fan_chart (forecast)")
    wanted = [
        "series_id",
        f"name_{language}",
        "unit",
        "baseline",
        "target",
        "target_relation",
        "direction",
        "precision",
    ]
    need(series, wanted, "fan_chart (series)")
    shown = series[series["series_id"].isin(forecast["series_id"])].reset_index(drop=True)
    if shown.empty:
        return no_data("fan_chart", language, simulated, forecast)
    if "outlook" in shown:
        marks.known(shown["outlook"].dropna(), marks.OUTLOOK, "outlooks")
    note = _with_left_out(note, "fan_left_out", len(series) - len(shown), language)
    ends = _ends(shown, forecast, target_year)
    title = _fan_title(ends, target_year, language)
    columns = min(columns, max(len(shown), 2))
    with style():
        lines = -(-len(shown) // columns)
        page = sheet(9.7, 2.55 * lines, title, language, "", note, simulated, legend=0.32)
        _fan_legend(page, "naive" in forecast, language)
        page.constrain(wspace=0.04, hspace=0.07)
        grid = page.figure.subplots(lines, columns, squeeze=False).ravel()
        for axes, (_, row) in zip(grid, shown.iterrows(), strict=False):
            seen, ahead = (f[f["series_id"].eq(row["series_id"])].sort_values("year") for f in (history, forecast))
            _fan_panel(axes, seen, ahead, row, (baseline_year, target_year), language)
        for axes in grid[len(shown) :]:
            axes.set_visible(False)
        data = pd.concat([history.assign(part="history"), forecast.assign(part="forecast")])
        kinds = set(shown.get("attribute", ()))
        what = f"fan_chart_{kinds.pop()}" if len(kinds) == 1 else "fan_chart"
        return page.picture(
            _fan_alt(title, ends, language), data[data["series_id"].isin(shown["series_id"])], what
        )


def _with_left_out(note: str, code: str, count: int, language: str) -> str:
    """Say in the foot how many rows could not be drawn."""
    return " ".join(filter(None, [note, say(code, language, count=count) if count else ""]))


def _ends(series: pd.DataFrame, forecast: pd.DataFrame, year: int) -> pd.DataFrame:
    """The forecast of each series for the target year, or its last year before it."""
    last = forecast[forecast["year"].le(year)].sort_values("year").groupby("series_id").tail(1)
    joined = series.merge(last[_FORECAST], on="series_id", how="left")
    toward = pd.Series("rise", index=joined.index).mask(joined["target"] < joined["baseline"], "fall")
    direction = joined["direction"].where(joined["direction"].isin(["rise", "fall"]), toward)
    joined["is_reached"] = meets(joined["median"], joined["target_relation"], joined["target"], direction).fillna(
        False
    )
    return joined


def _fan_title(ends: pd.DataFrame, year: int, language: str) -> str:
    if "outlook" in ends and ends["outlook"].notna().any():
        counts = ends["outlook"].value_counts()
        words = [f"{word('outlook', c, language)} {counts[c]}" for c in _SIGN if c in counts]
        return say("fan_title_outlook", language, year=year, total=len(ends), outlooks=listed(words, language, 9))
    return say("fan_title", language, year=year, total=len(ends), reached=int(ends["is_reached"].sum()))


def _fan_panel(
    axes: Axes, seen: pd.DataFrame, ahead: pd.DataFrame, row: pd.Series, span: tuple[int, int], language: str
) -> None:
    start, end = span
    if len(seen):
        ahead = _joined(seen, ahead)
    axes.fill_between(ahead["year"], ahead["lower_95"], ahead["upper_95"], color=_BAND_95, linewidth=0)
    axes.fill_between(ahead["year"], ahead["lower_80"], ahead["upper_80"], color=_BAND_80, linewidth=0)
    axes.plot(ahead["year"], ahead["median"], color=BLUE, linewidth=1.8)
    axes.plot(ahead["year"], ahead["naive"], color=INK, linewidth=1.2, linestyle=(0, (1, 2)))
    axes.plot([start, end], [row["baseline"], row["target"]], color=GREY, linewidth=1.2, linestyle=(0, (5, 3)))
    axes.axhline(row["target"], **_TARGET)
    axes.plot(seen["year"], seen["value"], "o", color=INK, markersize=4.5, zorder=5, clip_on=False)
    _fan_limits(axes, seen, ahead, row)
    first = int(min([start, *seen["year"]]))
    last = int(max([end, *ahead["year"]]))
    axes.set(xlim=(first - 0.3, last + 0.3), xticks=range(first, last + 1, 1 if last - first <= 7 else 2))
    axes.tick_params(length=0)
    axes.grid(axis="y")
    axis_numbers(axes.yaxis, language)
    axes.set_title(_fan_heading(row, language), fontsize=9, linespacing=1.3)


def _joined(seen: pd.DataFrame, ahead: pd.DataFrame) -> pd.DataFrame:
    """Begin the fan at the last observation, which is certain; give the naive line if the frame has none."""
    last = seen.iloc[-1]
    columns = ["median", *_INTERVALS]
    naive = ahead["naive"] if "naive" in ahead else last["value"]
    first = pd.DataFrame([{"year": last["year"], "naive": last["value"], **dict.fromkeys(columns, last["value"])}])
    return pd.concat([first, ahead.assign(naive=naive)[["year", "naive", *columns]]], ignore_index=True).astype(
        float
    )


def _fan_limits(axes: Axes, seen: pd.DataFrame, ahead: pd.DataFrame, row: pd.Series) -> None:
    values = finite([*seen["value"], *ahead["lower_95"], *ahead["upper_95"], row["target"], row["baseline"]])
    low, high = min(values), max(values)
    # A series that is held at 100 would otherwise get an axis in billionths.
    room = max((high - low) * 0.08, 0.5 * 10 ** -float(row["precision"]), abs(high) * 1e-4)
    axes.set_ylim(low - room, high + room)


def _fan_heading(row: pd.Series, language: str) -> str:
    heading = wrap(named_with_unit(row, language), 21)
    target = say("panel_target", language, target=_target_text(row, language))
    outlook = row.get("outlook")
    if is_missing(outlook):
        return f"{heading}\n{target}"
    return f"{heading}\n{_SIGN[str(outlook)]} {word('outlook', str(outlook), language)} · {target}"


def _target_text(row: pd.Series, language: str) -> str:
    """The target as the plan prints it where the frame has that text, else from number and relation."""
    text = row.get("target_text")
    if not is_missing(text) and text:
        return str(text).removesuffix("%")
    return f"{row['target_relation']}{number(row['target'], language, int(row['precision']))}".removeprefix("=")


def _fan_legend(page: Sheet, has_naive: bool, language: str) -> None:
    handles = [
        Line2D([], [], color=INK, marker="o", linestyle="none", markersize=4.5, label=say("fan_seen", language)),
        Line2D([], [], color=BLUE, linewidth=1.8, label=say("fan_median", language)),
        Patch(facecolor=_BAND_80, label=say("fan_80", language)),
        Patch(facecolor=_BAND_95, label=say("fan_95", language)),
        Line2D(
            [],
            [],
            color=INK,
            linestyle=(0, (1, 2)),
            label=say("fan_naive_model" if has_naive else "fan_naive", language),
        ),
        Line2D([], [], label=say("fan_target", language), **_TARGET),
        Line2D([], [], color=GREY, linestyle=(0, (5, 3)), label=say("fan_path", language)),
    ]
    page.legend(handles)


def _interval(row: pd.Series, language: str) -> str:
    digits = int(row["precision"])
    low, high = (number(row[c], language, digits) for c in ("lower_80", "upper_80"))
    return say("interval", language, low=low, high=high)


def _fan_alt(title: str, ends: pd.DataFrame, language: str) -> str:
    parts = [title]
    for _, row in ends.iterrows():
        digits = int(row["precision"])
        target = _target_text(row, language)
        unit = unit_name(row["unit"], language)
        parts.append(
            say(
                "fan_alt",
                language,
                name=name_of(row, language),
                median=with_unit(number(row["median"], language, digits), unit, language),
                interval=_interval(row, language),
                target=with_unit(target, unit, language),
            )
        )
    return sentences(parts, language)


def forecast_review(
    comparison: pd.DataFrame, language: str = "zh", *, simulated: bool = False, note: str = ""
) -> Picture:
    """Draw what an earlier report forecast against what came, every interval on its own scale.

    The 80 % interval is the dark bar, the 95 % one the pale bar; the axis is the distance from the median in half-widths of
    the 80 % interval, so that pupils and percentages stand in one picture.

    Parameters
    ----------
    comparison : DataFrame
        ``name_zh, name_en, unit, precision, median, lower_80, upper_80, lower_95, upper_95, actual``.
    language, simulated, note
        As in :func:`planlib.figures.progress_bullets`, as are what is returned and raised.

    Examples
    --------
    >>> import pandas as pd
    >>> row = {"name_en": "Myopia", "unit": "%", "precision": 2, "median": 51.0, "lower_80": 50.0, "upper_80": 52.0,
    ...        "lower_95": 49.0, "upper_95": 53.0, "actual": 51.5}
    >>> forecast_review(pd.DataFrame([row]), "en").title
    'Inside the 80% interval: 1 of 1 forecasts (80% of them were to be expected there)'
    """
    check_language(language)
    wanted = [f"name_{language}", "unit", "precision", "median", *_INTERVALS, "actual"]
    need(comparison, wanted, "forecast_review")
    rows = comparison[comparison["actual"].notna() & comparison["median"].notna()].reset_index(drop=True)
    if rows.empty:
        return no_data("forecast_review", language, simulated, comparison)
    note = _with_left_out(note, "review_left_out", len(comparison) - len(rows), language)
    rows["hit"] = [_hit(r) for _, r in rows.iterrows()]
    title = say("review_title", language, total=len(rows), inside=int(rows["hit"].eq("inside_80").sum()))
    with style():
        page = sheet(9.7, 0.34 * len(rows) + 0.55, title, language, say("review_how", language), note, simulated)
        table = page.table(len(rows))
        bars = page.figure.add_axes(page.rows(3.2, 3.7))
        bars.set(ylim=table.get_ylim(), xlim=(-_REACH - 0.2, _REACH + 0.2), yticks=[], xticks=[], facecolor="none")
        bars.spines[:].set_visible(False)
        bars.plot([0, 0], [-0.4, len(rows) - 0.6], color=BLUE, linewidth=1.2, zorder=3)
        for inches, code in {
            0.16: "head_series",
            6.1: "head_forecast",
            7.95: "head_actual",
            8.75: "head_hit",
        }.items():
            table.text(inches, len(rows) - 0.02, say(code, language), va="center", color=QUIET, fontsize=8.5)
        table.axhline(len(rows) - 0.5, color=INK, linewidth=0.9)
        for y, (_, row) in zip(range(len(rows) - 1, -1, -1), rows.iterrows(), strict=True):
            _review_row(table, bars, y, row, language)
        return page.picture(_review_alt(title, rows, language), rows, "forecast_review")


def _hit(row: pd.Series) -> str:
    # the text counts with the same tolerance: a value at a bound of 100 is inside
    inside = (
        level
        for level in (80, 95)
        if row[f"lower_{level}"] - 1e-9 <= row["actual"] <= row[f"upper_{level}"] + 1e-9
    )
    return next((f"inside_{level}" for level in inside), "outside")


def _review_row(table: Axes, bars: Axes, y: int, row: pd.Series, language: str) -> None:
    half = max(row["upper_80"] - row["median"], row["median"] - row["lower_80"])
    scaled = {c: _scaled(row[c], row["median"], half) for c in (*_INTERVALS, "actual")}
    for low, high, height, colour in (
        ("lower_95", "upper_95", 0.5, _BAND_95),
        ("lower_80", "upper_80", 0.5, _BAND_80),
    ):
        bars.barh(y, scaled[high] - scaled[low], left=scaled[low], height=height, color=colour)
    mark = _HIT[row["hit"]]
    marks.draw(bars, scaled["actual"], y, mark)
    table.axhline(y - 0.5, color="#ECECEC", linewidth=0.6, zorder=0)
    digits, size = int(row["precision"]), 9.0 if language == "zh" else 8.4
    table.text(
        0.16,
        y,
        wrap(named_with_unit(row, language), 2.95 * 72 / size),
        va="center",
        fontsize=size,
        linespacing=1.1,
    )
    median, actual = (number(row[column], language, digits) for column in ("median", "actual"))
    forecast = say("forecast_cell", language, median=median, interval=_interval(row, language))
    table.text(6.1, y, forecast, va="center", fontsize=8.5)
    table.text(7.95, y, actual, va="center", fontsize=8.5)
    marks.draw(table, 8.82, y, mark, 7)
    table.text(8.94, y, say(f"hit_{row['hit']}", language), va="center", fontsize=8.5)


def _scaled(value: float, median: float, half: float) -> float:
    """Distance from the median in half-widths, kept on the page; without a width only the side can be shown."""
    distance = value - median
    if half > 0:
        return max(-_REACH, min(_REACH, distance / half))
    return 0.0 if distance == 0 else math.copysign(_REACH, distance)


def _review_alt(title: str, rows: pd.DataFrame, language: str) -> str:
    parts = [title]
    for _, row in rows[rows["hit"].ne("inside_80")].iterrows():
        digits = int(row["precision"])
        parts.append(
            say(
                "review_alt",
                language,
                name=name_of(row, language),
                actual=number(row["actual"], language, digits),
                interval=_interval(row, language),
            )
        )
    return sentences(parts, language)
