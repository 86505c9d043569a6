"""From series to indicators, and how much the cut points matter."""

import numpy as np
import pandas as pd

from planlib.errors import DataError, listing
from planlib.evaluate.common import TOLERANCE, Rules, cut, require
from planlib.evaluate.score import judged, seen_card

STATUS_ORDER = (
    "below_baseline",
    "not_held",
    "not_met",
    "far_behind",
    "behind",
    "ambiguous",
    "no_data",
    "on_track",
    "ahead",
    "early",
    "met",
    "held",
)
"""Worst first. What cannot be judged stands between late and on time: it excuses nothing and promises nothing.
``held`` is last so that a series that merely stays where it is never hides how its sister moves."""

LATE = ("behind", "far_behind", "below_baseline", "not_held", "not_met")
"""Statuses of a series that ask for an explanation."""


def roll_up(card: pd.DataFrame, indicators: pd.DataFrame) -> pd.DataFrame:
    """Bring series together to the plan's indicators: met only if every series is met, status that of the worst.

    Parameters
    ----------
    card : DataFrame
        From :func:`scorecard`.
    indicators : DataFrame
        ``indicator_id``, ``attribute`` and whatever else is to be carried along.

    Returns
    -------
    DataFrame
        The indicators' columns, then ``series`` and ``series_met`` (counts), ``is_met``, ``status``, ``reason``
        and ``worst_series_id`` (the first series, in the order of :data:`STATUS_ORDER`, that decided).

    Raises
    ------
    DataError
        An indicator without series, or a series whose indicator is not listed.

    Examples
    --------
    >>> card = pd.DataFrame({"series_id": ["a", "b"], "indicator_id": "i", "status": ["held", "behind"],
    ...                      "reason": ["hold", "pace"], "is_met": pd.array([True, False], dtype="boolean")})
    >>> roll_up(card, pd.DataFrame({"indicator_id": ["i"], "attribute": ["binding"]}))["status"].item()
    'behind'
    """
    require(indicators, ["indicator_id", "attribute"], "indicators")
    astray = sorted(set(card["indicator_id"]) ^ set(indicators["indicator_id"]))
    if astray:
        raise DataError(
            listing("indicators and series that do not find each other", astray, "mend indicator_id in plan.yml")
        )
    rank = {status: place for place, status in enumerate(STATUS_ORDER)}
    ranked = card.assign(rank=card["status"].map(rank)).sort_values("rank", kind="stable")
    groups = ranked.groupby("indicator_id", sort=False)
    met = card["is_met"].fillna(False).astype(bool).groupby(card["indicator_id"])
    rolled = pd.DataFrame({"series": groups.size(), "series_met": met.sum(), "is_met": met.all()})
    worst = groups[["status", "reason", "series_id"]].first().rename(columns={"series_id": "worst_series_id"})
    return indicators.merge(rolled.join(worst), left_on="indicator_id", right_index=True, how="left")


def status_counts(rolled: pd.DataFrame) -> pd.DataFrame:
    """Count statuses by attribute.

    Parameters
    ----------
    rolled : DataFrame
        From :func:`roll_up` (or a scorecard): ``status`` and ``attribute``.

    Returns
    -------
    DataFrame
        ``status, binding, anticipatory, total``: one row for every status there is, worst first, zeros included.

    Examples
    --------
    >>> rows = pd.DataFrame({"status": ["early", "behind"], "attribute": ["anticipatory", "binding"]})
    >>> status_counts(rows).query("total > 0").values.tolist()
    [['behind', 1, 0, 1], ['early', 0, 1, 1]]
    """
    table = pd.crosstab(rolled["status"], rolled["attribute"])
    table = table.reindex(index=list(STATUS_ORDER), columns=["binding", "anticipatory"], fill_value=0)
    table["total"] = table.sum(axis=1)
    return table.rename_axis(index="status", columns=None).reset_index()


def sensitivity(
    series: pd.DataFrame,
    observations: pd.DataFrame,
    cutoff: str,
    rules: Rules,
    *,
    indicators: pd.DataFrame | None = None,
    phase: str = "midterm",
) -> pd.DataFrame:
    """Say how many indicators would stand in each class if the cut points were others.

    Parameters
    ----------
    series, observations, cutoff, rules, phase
        As in :func:`scorecard`; ``rules["alternatives"]`` lists the other sets of cut points.
    indicators : DataFrame, optional
        ``indicator_id, attribute``; taken from the series where absent.

    Returns
    -------
    DataFrame
        One row for the cut points in force (``chosen``) and one for each alternative: ``alternative``,
        ``cut_ahead, cut_on_track, cut_behind, cut_far_behind``, ``n_<status>`` for every status (how many
        indicators stand there), and ``changed`` (indicators whose status differs from the chosen one).
    """
    own = series[["indicator_id", "attribute"]].drop_duplicates("indicator_id")
    listed = own if indicators is None else indicators
    sets = [{"id": "chosen", "pace": rules["pace"]}, *rules.get("alternatives", [])]
    rows, chosen = [], pd.Series(dtype="str")
    card = seen_card(series, observations, cutoff, rules, phase)
    for choice in sets:
        other = {**rules, "pace": choice["pace"]}
        rolled = roll_up(judged(card, other, phase), listed)
        status = rolled.set_index("indicator_id")["status"]
        chosen = status if choice["id"] == "chosen" else chosen
        cuts = {f"cut_{name}": cut(other, "pace", name) for name in ("ahead", "on_track", "behind", "far_behind")}
        counts = {f"n_{name}": int((status == name).sum()) for name in STATUS_ORDER}
        rows.append({"alternative": choice["id"], **cuts, **counts, "changed": int((status != chosen).sum())})
    return pd.DataFrame(rows)


def outlook(probability: pd.Series, rules: Rules) -> pd.Series:
    """Put the probability of meeting a target into one of three words.

    Parameters
    ----------
    probability : Series of float
        Between 0 and 1; missing stays missing.
    rules : mapping
        ``outlook`` of ``definitions/evaluation.yml``.

    Returns
    -------
    Series of str
        ``likely``, ``at_risk`` or ``unlikely``.

    Examples
    --------
    >>> outlook(pd.Series([0.9, 0.5, 0.1]), {"outlook": {"likely": 0.75, "at_risk": 0.25}}).tolist()
    ['likely', 'at_risk', 'unlikely']
    """
    given = probability.astype("float64")
    if ((given < -TOLERANCE) | (given > 1 + TOLERANCE)).any():
        raise DataError("A probability lies outside 0 to 1. To do: pass shares, not percentages.")
    edges = [cut(rules, "outlook", name) - TOLERANCE for name in ("likely", "at_risk")]
    words = np.select([given >= edges[0], given >= edges[1]], ["likely", "at_risk"], "unlikely")
    return pd.Series(words, index=probability.index, dtype="str").mask(given.isna())
