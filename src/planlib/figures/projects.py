"""Building projects: how far they have come."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from planlib.figures import marks
from planlib.figures.lettering import QUIET, style
from planlib.figures.marks import GREY, LINES, Mark
from planlib.figures.picture import Picture, Sheet, no_data, sheet
from planlib.figures.progress import draw_stacked
from planlib.words import (
    check_language,
    date_text,
    listed,
    need,
    optional_word,
    percent,
    say,
    sentences,
    word,
)

# Light to dark as a project moves on: the order survives grey print.
PROJECT: dict[str, Mark] = {
    "opened": Mark("s", "#08306B"),
    "handed_over": Mark("s", "#2171B5"),
    "completed": Mark("s", "#6BAED6", hatch="//"),
    "started": Mark("s", "#C6DBEF", hatch="..", edge=GREY),
    "approved": Mark("s", "#F0F4FA", hatch="\\\\", edge=GREY),
    "planned": Mark("s", "#FFFFFF", edge=GREY),
}
_DEPTHS = ["#08306B", "#2171B5", "#6BAED6"]
_STEPS = ["approved", "started", "completed", "handed_over", "opened"]
_KINDS = ["kindergarten", "primary", "junior", "nine_year", "renewal"]


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
        As in :func:`planlib.figures.progress_bullets`, as are what is returned and raised.

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
        drawn = counts.reset_index(names="kind")
        return page.picture(_project_alt(title, counts, language), drawn, "project_timeline")


def _stage_counts(kind: pd.Series, known: pd.DataFrame, targets: Mapping[str, int]) -> pd.DataFrame:
    """Count projects by kind and furthest step; what is promised and not in the ledger counts as not approved."""
    reached = known.notna()
    furthest = reached.iloc[:, ::-1].idxmax(axis=1).where(reached.any(axis=1), "planned")
    counts = pd.crosstab(kind.to_numpy(), furthest.to_numpy())
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
        marks.patch(mark, f"{word('project_stage', code, language)} {counts[code].sum()}")
        for code, mark in PROJECT.items()
    ]
    page.legend(handles)


def _project_years(
    axes: Axes, known: pd.DataFrame, total: int, span: tuple[int, int], cutoff: str, language: str
) -> None:
    first, last = span
    end = pd.Timestamp(cutoff)
    # A whole year ends on its last day; the year of the cutoff ends at the cutoff.
    moments = [min(pd.Timestamp(f"{y}-12-31"), end) for y in range(first - 1, end.year + 1)]
    places = [m.year + m.day_of_year / 366 for m in moments]
    ends = []
    for step, line, colour in zip(("opened", "started", "approved"), LINES, _DEPTHS, strict=False):
        reached = [int(known[step].le(m).sum()) for m in moments]
        axes.plot(places, reached, color=colour, linestyle=line, linewidth=1.8, marker="o", markersize=3.5)
        ends.append((places[-1], float(reached[-1]), f"{word('project_stage', step, language)} {reached[-1]}"))
    marks.end_labels(axes, ends, total * 0.75, total * 0.02, fontsize=8.5)
    axes.plot([first, last + 1], [0, total], color=GREY, linestyle=(0, (5, 3)), linewidth=1.2)
    axes.annotate(
        say("project_path", language, total=total),
        (last + 1, total),
        (0, 5),
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=8.5,
        color=QUIET,
    )
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
    return sentences(parts, language)
