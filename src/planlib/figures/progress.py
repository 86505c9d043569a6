"""Where each series, each indicator and each promise stands."""

from collections.abc import Iterable
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.transforms import offset_copy

from planlib.evaluate import LATE
from planlib.figures import marks
from planlib.figures.lettering import INK, QUIET, RULE, style, width_em, wrap
from planlib.figures.marks import PROMISE, STATUS, Mark
from planlib.figures.picture import Picture, Sheet, no_data, sheet
from planlib.words import (
    capital,
    check_language,
    finer_decimals,
    is_missing,
    listed,
    name_of,
    named_with_unit,
    need,
    number,
    percent,
    say,
    sentences,
    telling_decimals,
    word,
)

# All that an end-term evaluation can say; before the end some series always has a pace or is held.
FINAL = {"met", "not_met", "ambiguous", "no_data"}
REACHED = ("early", "met", "held")
AHEAD = ("early", "met", "ahead")
# For these the share of the way says nothing: no room above the base, or nothing agreed to measure.
UNPACED = ("hold", "met_only", "ambiguous")

_ROW, _LOW_ROW = 0.335, 0.256
_BAR_LEFT, _BAR_RIGHT = 3.42, 3.72
# Where the columns stand, in inches from the left edge.
_NAME, _TAG, _DONE, _SHAPE, _STATUS, _MOVED, _TARGET = 0.42, 3.32, 6.5, 6.74, 6.87, 7.94, 9.54


def progress_bullets(
    scorecard: pd.DataFrame, language: str = "zh", *, simulated: bool = False, note: str = ""
) -> Picture:
    """Draw the way every series has gone from baseline to target, against the share of time gone by.

    One row per series: a bar from 0 to 100 % of the way (arrows where it leaves that range), a black tick at the elapsed
    share, the status by shape and word, the binding ones marked, and baseline, value and target in figures. A series that
    is not judged by pace has a sentence instead of a bar.

    Parameters
    ----------
    scorecard : DataFrame
        As :func:`planlib.evaluate.scorecard` gives it: ``number, name_zh, name_en, unit, attribute, judged, baseline,
        target, precision, value, progress, elapsed, status`` (progress and elapsed as shares), optionally
        ``baseline_relation, target_relation, relation``. With ``value_before, progress_before`` (of
        :func:`planlib.evaluate.changes`) a ring marks the share a year before, and figures go from year to year.
    language : str
        ``"zh"`` or ``"en"``.
    simulated : bool
        Print 模拟数据 (simulated data) in the foot.
    note : str
        Source and dates, printed in the foot.

    Returns
    -------
    Picture

    Raises
    ------
    DataError
        If a column is missing or a character has no glyph.

    Examples
    --------
    >>> import pandas as pd
    >>> row = {"number": 5, "name_en": "Public kindergartens", "unit": "%", "attribute": "binding", "judged": "pace",
    ...        "baseline": 76.36, "target": 85, "precision": 2, "value": 80.0, "progress": 0.4213, "elapsed": 0.4,
    ...        "status": "ahead"}
    >>> progress_bullets(pd.DataFrame([row]), "en").title
    'Series behind schedule: 0 of 1. Ahead or already reached: 1'
    """
    check_language(language)
    columns = ["number", f"name_{language}", "unit", "attribute", "judged", "baseline", "target", "precision"]
    need(scorecard, [*columns, "value", "progress", "elapsed", "status"], "progress_bullets")
    if scorecard.empty:
        return no_data("progress_bullets", language, simulated, scorecard)
    marks.known(scorecard["status"], STATUS, "statuses of series")
    rows = scorecard.sort_values("number", kind="stable").reset_index(drop=True)
    title = _progress_title(rows, language)
    how = [say("progress_how", language)]
    how += [say("progress_how_before", language)] if "value_before" in rows else []
    with style():
        high = (_LOW_ROW if len(how) > 1 else _ROW) * len(rows) + 0.5
        page = sheet(9.7, high, title, language, " ".join(how), note, simulated, 0.02)
        table, bars = _bullet_axes(page, rows, language)
        for position, (_, row) in enumerate(rows.iterrows()):
            y = len(rows) - 1 - position
            _bullet_bar(bars, y, row, language)
            _bullet_words(table, y, row, language)
        return page.picture(_progress_alt(title, rows, language), rows, "progress_bullets")


def _progress_title(rows: pd.DataFrame, language: str) -> str:
    late = rows[rows["status"].isin(LATE)]
    values = {
        "total": len(rows),
        "late": len(late),
        "binding": int(late["attribute"].eq("binding").sum()),
        "ahead": int(rows["status"].isin(AHEAD).sum()),
        "met": int(rows["status"].isin(REACHED).sum()),
    }
    if _is_final(rows["status"]):
        return say("progress_title_end", language, **values)
    return say("progress_title" if len(late) else "progress_title_none_late", language, **values)


def _is_final(statuses: Iterable[str]) -> bool:
    found = set(statuses)
    return found <= FINAL and bool(found & {"met", "not_met"})


def _progress_alt(title: str, rows: pd.DataFrame, language: str) -> str:
    counts = rows["status"].value_counts()
    words = [f"{word('status', c, language)} {counts[c]}" for c in STATUS if c in counts]
    parts = [title, say("alt_counts", language, counts=listed(words, language, 99))]
    late = rows[rows["status"].isin(LATE)]
    if len(late):
        named = [
            say(
                "alt_progress",
                language,
                name=name_of(r, language),
                progress=percent(r["progress"], language, 1),
                elapsed=percent(r["elapsed"], language),
            )
            for _, r in late.iterrows()
        ]
        parts.append(say("alt_late", language, names=listed(named, language, 99)))
    return sentences(parts, language)


def _bullet_axes(page: Sheet, rows: pd.DataFrame, language: str) -> tuple[Axes, Axes]:
    """Return a table over the whole width (x in inches) and the bars in its middle, with the same rows."""
    count, elapsed = len(rows), rows["elapsed"]
    values = "head_values_before" if "value_before" in rows else "head_values"
    table = page.table(count)
    bars = page.figure.add_axes(page.rows(_BAR_LEFT, _BAR_RIGHT))
    bars.set(ylim=table.get_ylim(), xlim=(-0.06, 1.06), yticks=[], facecolor="none")
    bars.spines[:].set_visible(False)
    bars.set_xticks([])
    how: dict[str, Any] = {"va": "center", "color": QUIET, "fontsize": 8.5}
    for share in (0, 0.25, 0.5, 0.75, 1):
        bars.text(share, count - 0.1, percent(share, language), ha="center", **how)
    for inches, code in {_NAME: "head_series", _SHAPE - 0.07: "head_status", _MOVED: values}.items():
        table.text(inches, count - 0.1, say(code, language), **how)
    for inches, code in {_DONE: "head_progress", _TARGET: "head_target"}.items():
        table.text(inches, count - 0.1, say(code, language), ha="right", **how)
    table.axhline(count - 0.5, color=INK, linewidth=0.9)
    if elapsed.notna().any():
        _elapsed_label(bars, elapsed.dropna(), language)
    return table, bars


def _elapsed_label(bars: Axes, elapsed: pd.Series, language: str) -> None:
    ends = dict.fromkeys(percent(e, language) for e in (elapsed.min(), elapsed.max()))
    middle = elapsed.median()
    bars.text(middle, -0.56, "▲", ha="center", va="top", fontsize=8)
    side, place = ("left", middle + 0.035) if middle < 0.7 else ("right", middle - 0.035)
    label = say("elapsed_tick", language, share="–".join(ends))
    bars.text(place, -0.56, label, ha=side, va="top", fontsize=8.5)


def _bullet_bar(axes: Axes, y: int, row: pd.Series, language: str) -> None:
    if not _is_paced(row):
        reason = say(f"unpaced_{_reason(row)}", language)
        axes.plot([0, 1], [y, y], color=RULE, linewidth=0.8, linestyle=(0, (1, 3)))
        box = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
        axes.text(0.5, y, reason, ha="center", va="center", fontsize=8, color=QUIET, bbox=box)
        return
    progress = float(row["progress"])
    mark = STATUS[row["status"]]
    inside = min(max(progress, -0.045), 1.045)
    axes.barh(y, 1.0, height=0.56, color="#F0F0F0")
    axes.barh(y, inside, height=0.26, color=mark.colour)
    if inside != progress:
        arrow = ">" if progress > 0 else "<"
        axes.plot([inside], [y], arrow, color=mark.colour, markersize=9, markeredgewidth=0, clip_on=False)
    if not is_missing(row["elapsed"]):
        axes.plot([row["elapsed"]] * 2, [y - 0.36, y + 0.36], color="black", linewidth=1.8, zorder=4)
    earlier = row.get("progress_before")
    if not is_missing(earlier):
        place = min(max(float(earlier), -0.045), 1.045)
        ring: dict[str, Any] = {
            "markerfacecolor": "white",
            "markeredgecolor": INK,
            "markeredgewidth": 1.1,
            "clip_on": False,
        }
        axes.plot([place], [y], "o", markersize=6.5, zorder=5, **ring)


def _is_paced(row: pd.Series) -> bool:
    return row["judged"] not in UNPACED and not is_missing(row["progress"])


def _reason(row: pd.Series) -> str:
    if row["judged"] in (*UNPACED, "census"):
        return str(row["judged"])
    return "no_data" if row["status"] == "no_data" else "no_pace"


def _bullet_words(table: Axes, y: int, row: pd.Series, language: str) -> None:
    mark = STATUS[row["status"]]
    table.axhline(y - 0.5, color="#E6E6E6", linewidth=0.6, zorder=0)
    table.text(0.34, y, str(row["number"]), va="center", ha="right", color=QUIET, fontsize=8)
    is_binding = row["attribute"] == "binding"
    size = 9.0 if language == "zh" else 8.4
    room = (_TAG - _NAME - (0.5 if is_binding else 0)) * 72 / size
    table.text(_NAME, y, wrap(named_with_unit(row, language), room), va="center", fontsize=size, linespacing=1.1)
    if is_binding:
        tag = {"boxstyle": "round,pad=0.25", "facecolor": "#4A4A4A", "edgecolor": "none"}
        label = say("tag_binding", language)
        table.text(_TAG, y, label, va="center", ha="right", fontsize=6.5, color="white", bbox=tag)
    share = percent(row["progress"], language, 1) if _is_paced(row) else "—"
    table.text(_DONE, y, share, va="center", ha="right")
    marks.draw(table, _SHAPE, y, mark)
    table.text(_STATUS, y, word("status", row["status"], language), va="center")
    table.text(_MOVED, y, _moved(row, language), va="center")
    table.text(_TARGET, y, _printed(row, "target", language), va="center", ha="right")


def _figure_text(row: pd.Series, column: str, language: str, finer: int = 0) -> str:
    sign = row.get(f"{column}_relation" if column != "value" else "relation")
    # as fine as the table beside it
    decimals = int(row["precision"])
    if not is_missing(row[column]):
        decimals = telling_decimals(float(row[column]), decimals, finer_decimals(str(row["unit"]), decimals))
    text = number(row[column], language, decimals + finer)
    return text if is_missing(sign) or sign in ("", "=") or text == "—" else f"{sign}{text}"


def _printed(row: pd.Series, column: str, language: str) -> str:
    """The plan's own print of a number where the frame has it: 0.3 is not 0.300 there; the unit is in the name."""
    text = row.get(f"{column}_text")
    return _figure_text(row, column, language) if is_missing(text) or not text else str(text).removesuffix("%")


def _moved(row: pd.Series, language: str) -> str:
    if "value_before" in row:
        both = [[_figure_text(row, c, language, finer) for c in ("value_before", "value")] for finer in (0, 1)]
        return " → ".join(both[both[0][0] == both[0][1] and row["moved"] not in ("same", "unknown")])
    before, now = _printed(row, "baseline", language), _figure_text(row, "value", language)
    if now == before and row["judged"] not in ("hold", "ambiguous") and row["value"] != row["baseline"]:
        # A move that the plan's rounding hides is still a move, and its bar shows it.
        now = _figure_text(row, "value", language, 1)
    return f"{before} → {now}"


def status_overview(
    status_counts: pd.DataFrame, language: str = "zh", *, simulated: bool = False, note: str = ""
) -> Picture:
    """Draw how many of the indicators stand in each class, all together and by attribute.

    Parameters
    ----------
    status_counts : DataFrame
        As :func:`planlib.evaluate.status_counts` gives it: ``status, binding, anticipatory``.
    language, simulated, note
        As in :func:`progress_bullets`, as are what is returned and raised.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"status": ["behind", "on_track"], "binding": [4, 5], "anticipatory": [0, 4]})
    >>> status_overview(frame, "en").title
    'Of 13 indicators 4 are late, of these 4 binding'
    """
    check_language(language)
    need(status_counts, ["status", "binding", "anticipatory"], "status_overview")
    marks.known(status_counts["status"], STATUS, "statuses of indicators")
    counts = status_counts.set_index("status")[["binding", "anticipatory"]].T.astype(int)
    counts = pd.concat([counts.sum().to_frame("all").T, counts])
    order = [code for code in STATUS if code in counts.columns and counts.loc["all", code]]
    if not order:
        return no_data("status_overview", language, simulated, status_counts)
    counts = counts[order]
    title = _overview_title(counts, language)
    with style():
        lines = _legend_lines([(c, f"{word('status', c, language)} {counts.loc['all', c]}") for c in order])
        page = sheet(9.7, 0.46 * len(counts) + 0.1, title, language, "", note, simulated, legend=0.28 * len(lines))
        _status_legend(page, lines)
        axes = page.figure.add_axes(page.rows(1.6, 0.2))
        labels = [_count_label(str(code), counts, language) for code in counts.index]
        draw_stacked(axes, counts, STATUS, labels, with_shapes=True)
        words = [f"{word('status', c, language)} {counts.loc['all', c]}" for c in order]
        alt = sentences([title, say("alt_counts", language, counts=listed(words, language, 99))], language)
        return page.picture(alt, counts.T.reset_index(), "status_overview")


def _overview_title(counts: pd.DataFrame, language: str) -> str:
    late = counts[[c for c in counts if c in LATE]].sum(axis=1)
    values = {
        "total": int(counts.loc["all"].sum()),
        "late": int(late["all"]),
        "binding": int(late.get("binding", 0)),
    }
    if _is_final(counts.columns):
        met = int(counts.loc["all", [c for c in counts if c in REACHED]].sum())
        return say("overview_title_end", language, met=met, **values)
    return say("overview_title" if values["late"] else "overview_title_none_late", language, **values)


def _count_label(code: str, counts: pd.DataFrame, language: str) -> str:
    name = say("all_indicators", language) if code == "all" else word("attribute", code, language)
    return f"{capital(name)} {counts.loc[code].sum()}"


def _legend_lines(entries: list[tuple[str, str]]) -> list[list[tuple[float, str, str]]]:
    """Set entries of code and label into lines of the page: (x in inches, code, label)."""
    lines: list[list[tuple[float, str, str]]] = [[]]
    x = 0.22
    for code, label in entries:
        width = 0.13 + width_em(label) * 9.5 / 72
        if x + width > 9.6:
            lines.append([])
            x = 0.22
        lines[-1].append((x, code, label))
        x += width + 0.28
    return lines


def _status_legend(page: Sheet, lines: list[list[tuple[float, str, str]]]) -> None:
    """Write shape, word and count of each class over the bars."""
    table = page.strip(0.28 * len(lines))
    for place, line in enumerate(lines):
        y = 1 - (place + 0.5) / len(lines)
        for x, code, label in line:
            marks.draw(table, x, y, STATUS[code], 8.5)
            table.text(x + 0.13, y, label, va="center", fontsize=9.5)


def draw_stacked(
    axes: Axes, counts: pd.DataFrame, looks: dict[str, Mark], labels: list[str], with_shapes: bool = False
) -> None:
    """Draw horizontal bars of counts, first row on top; each segment has its number, and its hatch or shape."""
    left = pd.Series(0, index=counts.index)
    places = list(range(len(counts) - 1, -1, -1))
    top = max(int(counts.sum(axis=1).max()), 1)
    for code in counts.columns:
        mark = looks[code]
        hatch = "" if with_shapes else mark.hatch
        axes.barh(
            places,
            counts[code],
            left=left,
            height=0.66,
            facecolor=mark.colour,
            hatch=hatch,
            edgecolor=mark.edge,
            linewidth=0.7,
        )
        for y, start, amount in zip(places, left, counts[code], strict=True):
            if amount:
                _segment_number(axes, start + amount / 2, y, int(amount), mark if with_shapes else None)
        left = left + counts[code]
    axes.set(ylim=(-0.5, len(counts) - 0.5), xlim=(0, top * 1.004), xticks=[])
    axes.set_yticks(places, labels)
    axes.tick_params(axis="y", length=0, labelcolor=INK, labelsize=9)
    axes.spines[:].set_visible(False)


def _segment_number(axes: Axes, x: float, y: float, amount: int, mark: Mark | None) -> None:
    """Write a number on a segment; with a mark its shape stands before it, so that the bar reads without colour."""
    box = {"facecolor": "white", "edgecolor": "none", "boxstyle": "round,pad=0.25"}
    size = 8.5
    text = str(amount) if mark is None else f"    {amount}"
    axes.text(x, y, text, ha="center", va="center", fontsize=size, bbox=box)
    if mark is not None:
        aside = 3.2 - width_em(text) * size / 2
        moved = offset_copy(axes.transData, axes.get_figure(root=True), x=aside, units="points")
        marks.draw(axes, x, y, mark, 6.0, transform=moved)


def promises_by_box(
    progress: pd.DataFrame, frame: pd.DataFrame, language: str = "zh", *, simulated: bool = False, note: str = ""
) -> Picture:
    """Draw the commitments of each box of the plan by status: stacked, hatched, counted.

    Parameters
    ----------
    progress : DataFrame
        One row per commitment with ``box`` (a ``frame_id``, empty for promises that stand in no box) and ``status``.
    frame : DataFrame
        The plan's frame: ``frame_id, kind, number, name_zh, name_en``; rows of kind ``box`` give order and names.
    language, simulated, note
        As in :func:`progress_bullets`, as are what is returned and raised.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"frame_id": ["box1"], "kind": ["box"], "number": [1], "name_en": ["Red roots"]})
    >>> tasks = pd.DataFrame({"box": ["box1", "box1", ""], "status": ["done", "late", "done"]})
    >>> promises_by_box(tasks, frame, "en").title
    'Promises met or on schedule: 2 of 3; late or not kept: 1, most in box 1 (1)'
    """
    check_language(language)
    need(progress, ["box", "status"], "promises_by_box")
    need(frame, ["frame_id", "kind", "number", f"name_{language}"], "promises_by_box")
    if progress.empty:
        return no_data("promises_by_box", language, simulated, progress)
    marks.known(progress["status"], PROMISE, "statuses of commitments")
    boxes = frame[frame["kind"].eq("box")].sort_values("number").set_index("frame_id")
    counts = _box_counts(progress, boxes)
    title = _promise_title(counts, boxes, language)
    labels = [_box_label(str(code), boxes, language) for code in counts.index]
    inside = [bool(code) for code in counts.index]
    with style():
        page = sheet(9.7, 0.37 * len(counts) + 0.1, title, language, "", note, simulated, legend=0.34)
        handles = [
            marks.patch(PROMISE[c], f"{word('commitment_status', c, language)} {counts[c].sum()}")
            for c in counts.columns
        ]
        page.legend(handles, handlelength=1.6, handleheight=1.0, fontsize=9)
        _, bottom, *_ = page.rows(3.05, 0.35)
        split = bottom + (page.top - bottom) * (1 - sum(inside) / len(inside))
        for part, low, high in ((inside, split, page.top), ([not i for i in inside], bottom, split)):
            if any(part):
                named = [label for label, is_in in zip(labels, part, strict=True) if is_in]
                axes = _box_bars(page, counts[part], named, low, high)
                axes.spines["top"].set(visible=part is not inside, color=QUIET)
        drawn = counts.reset_index(names="box")
        return page.picture(_promise_alt(title, counts, labels, language), drawn, "promises_by_box")


def _box_bars(page: Sheet, counts: pd.DataFrame, labels: list[str], low: float, high: float) -> Axes:
    """Draw one block of bars between two heights, on its own scale: what stands in no box would dwarf the boxes."""
    left, _, width, _ = page.rows(3.05, 0.35)
    axes = page.figure.add_axes((left, low, width, high - low))
    draw_stacked(axes, counts, PROMISE, labels)
    totals = counts.sum(axis=1)
    for y, total in zip(range(len(counts) - 1, -1, -1), totals, strict=True):
        axes.text(total + totals.max() * 0.012, y, str(total), va="center", color=QUIET)
    return axes


def _box_counts(progress: pd.DataFrame, boxes: pd.DataFrame) -> pd.DataFrame:
    """Count commitments by box (those outside every box last) and status, each in its house order."""
    box = progress["box"].where(progress["box"].isin(boxes.index), "")
    table = pd.crosstab(box.to_numpy(), progress["status"].to_numpy())
    order = [*boxes.index, *([""] if "" in table.index else [])]
    return table.reindex(index=order, columns=[c for c in PROMISE if c in table.columns], fill_value=0)


def _promise_title(counts: pd.DataFrame, boxes: pd.DataFrame, language: str) -> str:
    total = counts.sum()
    bad = counts[[c for c in ("late", "not_kept") if c in counts]].sum(axis=1)
    values = {
        "total": int(total.sum()),
        "good": int(sum(total.get(c, 0) for c in ("done", "kept", "on_schedule"))),
        "late": int(bad.sum()),
    }
    if not values["late"]:
        return say("promise_title_none_late", language, **values)
    where = bad.drop("", errors="ignore")
    if where.empty or not where.max():
        return say("promise_title_outside", language, **values)
    worst = where.idxmax()
    return say("promise_title", language, **values, box=boxes.loc[worst, "number"], worst=int(where.max()))


def _box_label(code: str, boxes: pd.DataFrame, language: str) -> str:
    if not code:
        return say("outside_boxes", language)
    label = say("box_label", language, number=boxes.loc[code, "number"], name=name_of(boxes.loc[code], language))
    return wrap(label, 22 if width_em(label) <= 22 else 24)


def _promise_alt(title: str, counts: pd.DataFrame, labels: list[str], language: str) -> str:
    rows = []
    for label, (_, row) in zip(labels, counts.iterrows(), strict=True):
        words = [f"{word('commitment_status', str(c), language)} {n}" for c, n in row.items() if n]
        rows.append(
            say("alt_row", language, name=label.replace("\n", ""), items=listed(words, language, 99) or "0")
        )
    return sentences([title, *rows], language)
