"""What children do between two counts, as a table: progression ratios, and entrants per birth."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from planlib.enrolment.cube import CHAINS, Chains, read_cube
from planlib.enrolment.entry import BIRTH_AGE, birth_pairs, births_table, without_sharing
from planlib.enrolment.ratios import Pairs, estimate, extreme, pairs, window
from planlib.errors import DataError


def progression_ratios(
    enrolment: pd.DataFrame,
    method: str = "mean",
    years: int | None = 3,
    by: Sequence[str] | None = None,
    chains: Chains = CHAINS,
    births: pd.DataFrame | None = None,
    birth_age: Mapping[str, int] = BIRTH_AGE,
) -> pd.DataFrame:
    """Estimate grade progression ratios r(g) = E(g+1, t+1) / E(g, t), and how many enter per birth.

    ``mean`` of the yearly ratios; ``weighted``: pupils of all years together, so large years count more; ``median``;
    ``last``; ``smoothed``: single exponential smoothing with weight 0.4; ``shared``: each grade's own pattern, averaged
    (for few pupils drawn towards that of all areas), lifted to where all grades of its chain stood last year: families
    move with all their children. A ratio holds everything that happens between two counts: moving in and out,
    repeating, leaving for another sector. It may be above 1. With `births`, so do the rows from ``births`` to an entry
    grade: entrants over the births behind them, learnt from this place's own past (Hangzhou 2023: 1.78).

    Parameters
    ----------
    enrolment : DataFrame
        Long: ``grade, year, students``; optional ``area``, ``school_id``.
    method : {"mean", "weighted", "median", "last", "smoothed", "shared"}
        How the yearly ratios become one.
    years : int or None
        How many of the last yearly ratios are used; None for all.
    by : sequence of str, optional
        ``["area"]`` (the default where there is such a column) or ``[]`` for all areas together.
    chains : sequence of sequences of str
        Which grade follows which.
    births, birth_age
        As for :func:`planlib.enrolment.project`.

    Returns
    -------
    DataFrame
        ``area`` (if asked for), ``grade, next_grade, ratio, lowest, highest, ratios`` (how many yearly ratios were
        used; 0 gives a missing ratio).

    Raises
    ------
    DataError
        On a table that :func:`planlib.enrolment.cube.read_cube` refuses, an unknown method or column.

    References
    ----------
    .. [1] NCES, Projections of Education Statistics to 2019, appendix A.1 (grade retention method).
    .. [2] R package enrollcast, vignette (the numbers of the example).

    Examples
    --------
    >>> counted = {2021: [100, 90, 80], 2022: [110, 95, 88], 2023: [120, 99, 91]}
    >>> rows = [(g, y, n) for y, row in counted.items() for g, n in zip(["K", "1", "2"], row)]
    >>> table = pd.DataFrame(rows, columns=["grade", "year", "students"])
    >>> progression_ratios(table, chains=[["K", "1", "2"]])["ratio"].round(7).tolist()
    [0.925, 0.9678363]
    """
    by = ["area"] if by is None and "area" in enrolment else list(by or [])
    if by not in ([], ["area"]):
        raise DataError(f"by is {by}. To do: use ['area'] or [].")
    cube = read_cube(enrolment, chains)
    cube = cube if by else cube.pooled()
    pair = pairs(cube)
    inner = [place for place in range(len(cube.grades) - 1) if not cube.is_entry[place + 1]]
    grades = pd.Index(cube.grades)
    parts = [_rows(pair, inner, grades[inner], grades[[place + 1 for place in inner]], cube.areas, method, years)]
    if births is not None:
        known = births if by or "area" not in births else births.groupby("year", as_index=False)["births"].sum()
        for grade, own in birth_pairs(cube, births_table(known, cube, cube.last_year)[0], birth_age).items():
            method = without_sharing(method)
            parts.append(_rows(own, [0], pd.Index(["births"]), pd.Index([grade]), cube.areas, method, years))
    table = pd.concat(parts, ignore_index=True)
    return table if by else table.drop(columns="area")


def _rows(
    pair: Pairs,
    places: list[int],
    start: pd.Index,
    end: pd.Index,
    areas: pd.Index,
    method: str,
    years: int | None,
) -> pd.DataFrame:
    """Return one row for each area and pair of grades."""
    used = window(pair, years).ratio[:, places]
    return pd.DataFrame(
        {
            "area": np.repeat(areas.to_numpy(), len(places)),
            "grade": np.tile(start.to_numpy(), len(areas)),
            "next_grade": np.tile(end.to_numpy(), len(areas)),
            "ratio": estimate(pair, method, years)[:, places].ravel(),
            "lowest": extreme(used).ravel(),
            "highest": -extreme(-used).ravel(),
            "ratios": np.isfinite(used).sum(axis=-1).ravel(),
        }
    )
