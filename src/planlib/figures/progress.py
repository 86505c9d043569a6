"""Where each series, each indicator and each promise stands."""

import pandas as pd
from matplotlib.axes import Axes

from planlib.figures import marks
from planlib.figures.lettering import INK, QUIET, RULE, style, width_em, wrap
from planlib.figures.marks import PROMISE, STATUS, Mark
from planlib.figures.picture import Picture, Sheet, no_data, sheet
from planlib.figures.words import (
    check_language,
    is_missing,
    listed,
    name_of,
    named_with_unit,
    need,
    number,
    percent,
    say,
    word,
)

LATE = ("behind", "far_behind", "below_baseline", "not_held", "not_met")
# Words that only an end-term evaluation uses; its findings speak of met and not met.
FINAL = ("met", "not_met")
REACHED = ("early", "met", "held")
AHEAD = ("early", "met", "ahead")
# For these the share of the way says nothing: no room above the base, or nothing agreed to measure.
UNPACED = ("hold", "met_only", "ambiguous")

_ROW = 0.335
_BAR_LEFT, _BAR_RIGHT = 3.42, 3.72


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
        ``baseline_relation, target_relation, relation``.
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
    rows = scorecard.sort_values("number", kind="stable").reset_index(drop=True)
    title = _progress_title(rows, language)
    with style():
        page = sheet(
            9.7, _ROW * len(rows) + 0.5, title, language, say("progress_how", language), note, simulated, 0.02
        )
        table, bars = _bullet_axes(page, len(rows), rows["elapsed"], language)
        for position, (_, row) in enumerate(rows.iterrows()):
            y = len(rows) - 1 - position
            _bullet_bar(bars, y, row, language)
            _bullet_words(table, y, row, language)
        return page.picture(_progress_alt(title, rows, language), rows)


def _progress_title(rows: pd.DataFrame, language: str) -> str:
    late = rows[rows["status"].isin(LATE)]
    values = {
        "total": len(rows),
        "late": len(late),
        "binding": int(late["attribute"].eq("binding").sum()),
        "ahead": int(rows["status"].isin(AHEAD).sum()),
        "met": int(rows["status"].isin(REACHED).sum()),
    }
    if rows["status"].isin(FINAL).any():
        return say("progress_title_end", language, **values)
    return say("progress_title" if len(late) else "progress_title_none_late", language, **values)


def _progress_alt(title: str, rows: pd.DataFrame, language: str) -> str:
    counts = rows["status"].value_counts()
    words = [f"{word('status', c, language)} {counts[c]}" for c in STATUS if c in counts]
    parts = [title, say("alt_counts", language, counts=listed(words, language, 99))]
    late = rows[rows["status"].isin(LATE)]
    if len(late):
        named = [
            say("alt_progress", language, name=name_of(r, language), progress=percent(r["progress"], language),
                elapsed=percent(r["elapsed"], language))
            for _, r in late.iterrows()
        ]  # fmt: skip
        parts.append(say("alt_late", language, names=listed(named, language, 99)))
    return say("sentence_join", language).join(parts) + say("full_stop", language)


def _bullet_axes(page: Sheet, count: int, elapsed: pd.Series, language: str) -> tuple[Axes, Axes]:
    """Return a table over the whole width (x in inches) and the bars in its middle, with the same rows."""
    table = page.table(count)
    bars = page.figure.add_axes(page.rows(_BAR_LEFT, _BAR_RIGHT))
    bars.set(ylim=table.get_ylim(), xlim=(-0.06, 1.06), yticks=[], facecolor="none")
    bars.spines[:].set_visible(False)
    bars.set_xticks([0, 0.25, 0.5, 0.75, 1.0], ["0%", "25%", "50%", "75%", "100%"])
    bars.xaxis.tick_top()
    bars.tick_params(length=0, pad=-9)
    heads = {0.42: "head_series", 6.1: "head_progress", 6.7: "head_status", 7.85: "head_values"}
    for inches, code in heads.items():
        table.text(inches, count - 0.02, say(code, language), va="center", color=QUIET, fontsize=8.5)
    table.text(
        9.54, count - 0.02, say("head_target", language), va="center", ha="right", color=QUIET, fontsize=8.5
    )
    if elapsed.notna().any():
        shares = sorted({percent(e, language) for e in elapsed.dropna()})
        label = say("elapsed_tick", language, share="–".join([shares[0], shares[-1]][: len(shares)]))
        bars.text(elapsed.median(), -0.62, label, ha="center", va="top", fontsize=8.5)
    return table, bars


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
        axes.annotate("", (inside + 0.03 * (1 if progress > 0 else -1), y), (inside, y),
                      arrowprops={"arrowstyle": "-|>", "color": mark.colour, "lw": 1.6}, annotation_clip=False)  # fmt: skip
    if not is_missing(row["elapsed"]):
        axes.plot([row["elapsed"]] * 2, [y - 0.36, y + 0.36], color="black", linewidth=1.8, zorder=4)


def _is_paced(row: pd.Series) -> bool:
    return row["judged"] not in UNPACED and not is_missing(row["progress"])


def _reason(row: pd.Series) -> str:
    if row["status"] == "no_data":
        return "no_data"
    return str(row["judged"]) if row["judged"] in (*UNPACED, "census") else "no_pace"


def _bullet_words(table: Axes, y: int, row: pd.Series, language: str) -> None:
    mark = STATUS[row["status"]]
    table.axhline(y - 0.5, color="#ECECEC", linewidth=0.6, zorder=0)
    table.text(0.34, y, str(row["number"]), va="center", ha="right", color=QUIET, fontsize=8)
    is_binding = row["attribute"] == "binding"
    name = named_with_unit(row, language)
    size = 9.0 if width_em(name) <= 20 else 8.0
    table.text(0.42, y, wrap(name, 2.45 * 72 / size), va="center", fontsize=size, linespacing=1.1)
    if is_binding:
        tag = {"boxstyle": "round,pad=0.25", "facecolor": "#4A4A4A", "edgecolor": "none"}
        label = say("tag_binding", language)
        table.text(3.32, y, label, va="center", ha="right", fontsize=6.5, color="white", bbox=tag)
    share = percent(row["progress"], language) if _is_paced(row) else "—"
    table.text(6.5, y, share, va="center", ha="right")
    marks.draw(table, 6.8, y, mark)
    table.text(6.93, y, word("status", row["status"], language), va="center")
    table.text(7.85, y, _moved(row, language), va="center")
    table.text(9.54, y, _figure_text(row, "target", language), va="center", ha="right")


def _figure_text(row: pd.Series, column: str, language: str) -> str:
    sign = row.get(f"{column}_relation" if column != "value" else "relation")
    text = number(row[column], language, int(row["precision"]))
    return text if is_missing(sign) or sign in ("", "=") or text == "—" else f"{sign}{text}"


def _moved(row: pd.Series, language: str) -> str:
    return f"{_figure_text(row, 'baseline', language)} → {_figure_text(row, 'value', language)}"


def status_overview(
    status_counts: pd.DataFrame, language: str = "zh", *, simulated: bool = False, note: str = ""
) -> Picture:
    """Draw how many of the indicators stand in each class, all together and by attribute.

    Parameters
    ----------
    status_counts : DataFrame
        As :func:`planlib.evaluate.status_counts` gives it: ``status, binding, anticipatory``.
    language, simulated, note
        As in :func:`progress_bullets`.

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
    >>> frame = pd.DataFrame({"status": ["behind", "on_track"], "binding": [4, 5], "anticipatory": [0, 4]})
    >>> status_overview(frame, "en").title
    'Of 13 indicators 4 are late, of these 4 binding'
    """
    check_language(language)
    need(status_counts, ["status", "binding", "anticipatory"], "status_overview")
    counts = status_counts.set_index("status")[["binding", "anticipatory"]].T.astype(int)
    counts = pd.concat([counts.sum().to_frame("all").T, counts])
    order = [code for code in STATUS if code in counts.columns and counts.loc["all", code]]
    if not order:
        return no_data("status_overview", language, simulated, status_counts)
    counts = counts[order]
    title = _overview_title(counts, language)
    with style():
        page = sheet(9.7, 0.46 * len(counts) + 0.1, title, language, "", note, simulated, legend=0.34)
        _status_legend(page, counts.loc["all"], language)
        axes = page.figure.add_axes(page.rows(1.6, 0.2))
        labels = [_count_label(str(code), counts, language) for code in counts.index]
        draw_stacked(axes, counts, STATUS, labels)
        words = [f"{word('status', c, language)} {counts.loc['all', c]}" for c in order]
        alt = say("sentence_join", language).join(
            [title, say("alt_counts", language, counts=listed(words, language, 99))]
        )
        return page.picture(alt + say("full_stop", language), counts.T.reset_index())


def _overview_title(counts: pd.DataFrame, language: str) -> str:
    late = counts[[c for c in counts if c in LATE]].sum(axis=1)
    values = {
        "total": int(counts.loc["all"].sum()),
        "late": int(late["all"]),
        "binding": int(late.get("binding", 0)),
    }
    if any(code in counts for code in FINAL):
        met = int(counts.loc["all", [c for c in counts if c in REACHED]].sum())
        return say("overview_title_end", language, met=met, **values)
    return say("overview_title" if values["late"] else "overview_title_none_late", language, **values)


def _count_label(code: str, counts: pd.DataFrame, language: str) -> str:
    name = say("all_indicators", language) if code == "all" else word("attribute", code, language)
    return f"{name} {counts.loc[code].sum()}"


def _status_legend(page: Sheet, counts: pd.Series, language: str) -> None:
    """Write shape, word and count of each class in one line over the bars."""
    table = page.strip(0.30)
    x = 0.25
    for code, count in counts.items():
        label = f"{word('status', str(code), language)} {count}"
        marks.draw(table, x, 0.5, STATUS[str(code)], 8.5)
        table.text(x + 0.13, 0.5, label, va="center", fontsize=9.5)
        x += 0.13 + width_em(label) * 9.5 / 72 + 0.3


def draw_stacked(axes: Axes, counts: pd.DataFrame, looks: dict[str, Mark], labels: list[str]) -> None:
    """Draw horizontal bars of counts, first row on top, each segment with its number and hatch."""
    left = pd.Series(0, index=counts.index)
    places = list(range(len(counts) - 1, -1, -1))
    for code in counts.columns:
        mark = looks[code]
        axes.barh(places, counts[code], left=left, height=0.66, facecolor=mark.colour, hatch=mark.hatch,
                  edgecolor="white", linewidth=1.0)  # fmt: skip
        for y, start, amount in zip(places, left, counts[code], strict=True):
            if amount:
                box = {"facecolor": "white", "edgecolor": "none", "boxstyle": "round,pad=0.18", "alpha": 0.92}
                axes.text(start + amount / 2, y, str(amount), ha="center", va="center", fontsize=8.5, bbox=box)
        left = left + counts[code]
    axes.set(ylim=(-0.5, len(counts) - 0.5), xlim=(0, max(left.max(), 1)), xticks=[])
    axes.set_yticks(places, labels)
    axes.tick_params(axis="y", length=0, labelcolor=INK, labelsize=9)
    axes.spines[:].set_visible(False)


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
        As in :func:`progress_bullets`.

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
    >>> frame = pd.DataFrame({"frame_id": ["box1"], "kind": ["box"], "number": [1], "name_en": ["Red roots"]})
    >>> tasks = pd.DataFrame({"box": ["box1", "box1", ""], "status": ["done", "late", "done"]})
    >>> promises_by_box(tasks, frame, "en").title
    'Commitments met or on schedule: 2 of 3; late or not kept: 1, most in box 1 (1)'
    """
    check_language(language)
    need(progress, ["box", "status"], "promises_by_box")
    need(frame, ["frame_id", "kind", "number", f"name_{language}"], "promises_by_box")
    if progress.empty:
        return no_data("promises_by_box", language, simulated, progress)
    boxes = frame[frame["kind"].eq("box")].sort_values("number").set_index("frame_id")
    counts = _box_counts(progress, boxes)
    title = _promise_title(counts, boxes, language)
    labels = [_box_label(code, boxes, language) for code in counts.index]
    with style():
        page = sheet(9.7, 0.37 * len(counts) + 0.1, title, language, "", note, simulated, legend=0.34)
        axes = page.figure.add_axes(page.rows(3.05, 0.35))
        draw_stacked(axes, counts, PROMISE, labels)
        totals = counts.sum(axis=1)
        for y, total in zip(range(len(counts) - 1, -1, -1), totals, strict=True):
            axes.text(total + totals.max() * 0.012, y, str(total), va="center", color=QUIET)
        _patch_legend(page, counts, language)
        return page.picture(_promise_alt(title, counts, labels, language), counts.reset_index(names="box"))


def _box_counts(progress: pd.DataFrame, boxes: pd.DataFrame) -> pd.DataFrame:
    """Count commitments by box (those outside every box last) and status, each in its house order."""
    box = progress["box"].where(progress["box"].isin(boxes.index), "")
    table = progress.groupby([box, progress["status"]]).size().unstack(fill_value=0)
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


def _patch_legend(page: Sheet, counts: pd.DataFrame, language: str) -> None:
    handles = [
        marks.patch(PROMISE[c], f"{word('commitment_status', c, language)} {counts[c].sum()}")
        for c in counts.columns
    ]
    table = page.strip(0.30)
    table.legend(handles=handles, loc="center left", ncols=len(handles), handlelength=1.6, handleheight=1.0,
                 columnspacing=1.4, borderaxespad=0.2, fontsize=9)  # fmt: skip


def _promise_alt(title: str, counts: pd.DataFrame, labels: list[str], language: str) -> str:
    rows = []
    for label, (_, row) in zip(labels, counts.iterrows(), strict=True):
        words = [f"{word('commitment_status', str(c), language)} {n}" for c, n in row.items() if n]
        rows.append(
            say("alt_row", language, name=label.replace("\n", ""), items=listed(words, language, 99) or "0")
        )
    return say("sentence_join", language).join([title, *rows]) + say("full_stop", language)
