"""What came for each year, table by table, and where it was mended or must be asked about."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from planlib.figures.lettering import INK, style
from planlib.figures.marks import GREY
from planlib.figures.picture import Picture, no_data, sheet
from planlib.words import check_language, listed, need, number, say, sentences, word

_LOUD = ("mended", "asked")  # the fewer the better: they stand apart and are no gap where there are none
_LIGHT, _DARK = 0.94, 0.62  # tones of few and of many rows: text stays black on both, in print too


def received_chart(
    received: pd.DataFrame, language: str = "zh", *, simulated: bool = False, note: str = ""
) -> Picture:
    """Draw how many rows each table has for each year since the first return of schools.

    A year without any is hatched, and the finding names it; a table whose first year is later begins there.

    Parameters
    ----------
    received : DataFrame
        ``what`` (a table, ``mended`` for written corrections, ``asked`` for warnings), ``year, count``.
    language, simulated, note
        As in :func:`planlib.figures.progress_bullets`, as are what is returned and raised.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"what": ["schools", "schools", "births", "mended"], "year": [2020, 2021, 2021, 2020],
    ...                      "count": [9, 9, 3, 1]})
    >>> received_chart(rows, "en").title
    '2020–2021: every table has data of every year; 1 cell was mended, 0 are to be asked about'
    """
    check_language(language)
    need(received, ["what", "year", "count"], "received_chart")
    if received.empty:
        return no_data("received_chart", language, simulated, received)
    counts = _counts(received)
    title = _title(counts, language)
    with style():
        page = sheet(
            9.7,
            0.34 * (len(counts) + 1),
            title,
            language,
            say("received_how", language),
            note,
            simulated,
            legend=0.22,
        )
        axes = page.figure.add_axes(page.rows(1.5, 0.2))
        _cells(axes, counts, language)
        drawn = counts.stack().rename("count").reset_index()  # noqa: PD013 - a column a year, back to rows
        return page.picture(_alt(title, counts, language), drawn, "received_chart")


def _counts(received: pd.DataFrame) -> pd.DataFrame:
    """Return one row a table and one column a year, with 0 where nothing came; corrections and questions last."""
    returns = received[received["what"] == "schools"]
    first = (received if returns.empty else returns)["year"].min()
    years = range(int(first), int(received["year"].max()) + 1)
    wide = received.pivot_table(index="what", columns="year", values="count", aggfunc="sum", fill_value=0)
    tables = [what for what in dict.fromkeys(received["what"]) if what not in _LOUD]
    return wide.reindex(index=[*tables, *_LOUD], columns=years, fill_value=0).astype(int)


def _gaps(counts: pd.DataFrame, language: str) -> Sequence[str]:
    """Say of each table the years for which nothing came."""
    tables = counts.drop(index=list(_LOUD))
    return [
        say("received_gap", language, table=_name(str(what), language), years=listed(map(str, empty), language, 9))
        for what, row in tables.iterrows()
        if (empty := [year for year in counts.columns if not row[year] and row.loc[:year].any()])
    ]


def _name(what: str, language: str) -> str:
    return say(f"received_{what}", language) if what in _LOUD else word("clean", f"table_{what}", language)


def _title(counts: pd.DataFrame, language: str) -> str:
    gaps = listed(_gaps(counts, language), language, 3) or say("received_whole", language)
    values = {what: int(counts.loc[what].sum()) for what in _LOUD}
    return say("received_title", language, first=counts.columns[0], last=counts.columns[-1], gaps=gaps, **values)


def _cells(axes: Axes, counts: pd.DataFrame, language: str) -> None:
    """Draw a cell for each table and year: darker for more of the table's own rows, hatched for none."""
    for place, (what, row) in enumerate(counts.iterrows()):
        for column, value in enumerate(row):
            is_loud = what in _LOUD
            share = value / max(row.max(), 1)
            tone = "white" if not value else str(round(_LIGHT - (_LIGHT - _DARK) * share, 3))
            is_gap = not value and not is_loud and bool(row.iloc[:column].any())
            box = (column + 0.03, place + 0.06)
            axes.add_patch(
                Rectangle(
                    box, 0.94, 0.88, facecolor=tone, edgecolor=GREY, linewidth=0.6, hatch="///" if is_gap else ""
                )
            )
            text = number(value, language) if value else say("received_none", language) if is_gap else ""
            axes.text(
                column + 0.5, place + 0.5, text, ha="center", va="center", color=INK,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.2} if is_gap else None,
            )  # fmt: skip
    axes.set(xlim=(0, len(counts.columns)), ylim=(len(counts), 0))
    axes.set_xticks([c + 0.5 for c in range(len(counts.columns))], [str(year) for year in counts.columns])
    axes.set_yticks([r + 0.5 for r in range(len(counts))], [_name(str(what), language) for what in counts.index])
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _alt(title: str, counts: pd.DataFrame, language: str) -> str:
    parts = [
        say("received_alt", language, name=_name(str(what), language), count=number(int(row.sum()), language))
        for what, row in counts.iterrows()
    ]
    return sentences([title, *parts], language)
