"""What drives a coefficient: groups, single schools, and the change between two years."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import factorial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from planlib.balance.measure import COMPOSITE, Array, as_amounts, coefficient_of_variation, composite
from planlib.errors import DataError, UsageError, listing
from planlib.standard import refuse_bad_amounts, refuse_duplicates

# Below this a coefficient is rounding: all ratios are equal, and nobody contributes to nothing.
EQUAL = 1e-12
FACTORS = ("resources", "pupils", "opened", "closed", "reported")


@dataclass(frozen=True)
class Decomposition:
    """GE(2) = CV²/2 in its two parts.

    Attributes
    ----------
    total, within, between : float
        ``total = within + between``; NaN if the coefficient is undefined.
    groups : DataFrame
        ``group, schools, students, mean`` (per pupil), ``cv`` (inside the group), ``within, between`` (its
        addends to the two parts), sorted by group.
    """

    total: float
    within: float
    between: float
    groups: pd.DataFrame


def decompose(resource: npt.ArrayLike, students: npt.ArrayLike, group: Sequence[Hashable]) -> Decomposition:
    """Split GE(2) = CV²/2 exactly into a part within and a part between groups of schools.

    With w_g the share of pupils of group g and X̄_g its mean,

        between = ½ Σ w_g (X̄_g/X̄ − 1)²,   within = Σ w_g (X̄_g/X̄)² · CV_g²/2.

    Parameters
    ----------
    resource, students : array_like, shape (n,)
        As in :func:`coefficient_of_variation`.
    group : sequence, length n
        Area, education group, ownership, … of each school; no empty entries.

    Returns
    -------
    Decomposition

    Raises
    ------
    DataError
        As :func:`coefficient_of_variation`; a group missing or of another length.

    Notes
    -----
    Shorrocks (1980), The class of additively decomposable inequality measures, Econometrica 48.

    Examples
    --------
    Means 1 and 3, no spread inside either group: all of CV²/2 = 0.125 lies between.

    >>> found = decompose([1, 1, 3, 3], [1, 1, 1, 1], ["east", "east", "west", "west"])
    >>> found.total, found.within, found.between
    (0.125, 0.0, 0.125)
    """
    amount, pupils = one_series(resource, students)
    labels = pd.Series(list(group), dtype="object")
    if len(labels) != len(amount) or labels.isna().any():
        raise DataError(f"group needs one entry for each of the {len(amount)} schools, and none of them empty.")
    known = (pupils > 0) & ~np.isnan(amount)
    amount, pupils = amount[known], pupils[known]
    codes, names = pd.factorize(labels[known], sort=True)
    n = np.bincount(codes, minlength=len(names))
    group_pupils = np.bincount(codes, pupils, minlength=len(names))
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.bincount(codes, amount, minlength=len(names)) / group_pupils
        overall = amount.sum() / pupils.sum()
        weight = group_pupils / pupils.sum()
        spread = np.bincount(codes, pupils * (amount / pupils - mean[codes]) ** 2, minlength=len(names))
        cv = np.where(mean > 0, np.sqrt(spread / group_pupils) / mean, np.nan)
        within = weight * spread / group_pupils / overall**2 / 2
        between = weight * (mean / overall - 1) ** 2 / 2
    table = {"group": names, "schools": n, "students": group_pupils, "mean": mean, "cv": cv}
    groups = pd.DataFrame({**table, "within": within, "between": between})
    total = coefficient_of_variation(amount, pupils)
    if np.isnan(total):
        return Decomposition(np.nan, np.nan, np.nan, groups)
    return Decomposition(float(total) ** 2 / 2, float(within.sum()), float(between.sum()), groups)


def one_series(resource: npt.ArrayLike, students: npt.ArrayLike) -> tuple[Array, Array]:
    """Return the checked amounts and pupils of one series of schools."""
    amount, pupils = as_amounts(resource, students)
    if amount.ndim != 1:
        raise DataError(f"One resource of n schools is wanted, not an array of shape {amount.shape}.")
    return amount, pupils


def contributions(
    resource: npt.ArrayLike, students: npt.ArrayLike, labels: Sequence[Hashable] | None = None
) -> pd.DataFrame:
    """Say what each school adds to a coefficient.

    Parameters
    ----------
    resource, students : array_like, shape (n,)
        As in :func:`coefficient_of_variation`.
    labels : sequence, optional
        Names of the schools; default their numbers.

    Returns
    -------
    DataFrame
        In the order of the input: ``school, students, ratio`` (R/P), ``relative`` (ratio / X̄), ``share`` of
        CV² (they add up to 1), ``cv_without`` (the coefficient if the school were not there), ``derivative``
        (change of the coefficient for one more unit at the school):

            share = w (x/X̄ − 1)² / CV²,   ∂CV/∂R = (x/X̄ − 1 − CV²) / (CV · ΣR).

        NaN for schools without pupils or value, and where CV = 0 (shares and derivative are undefined).

    Raises
    ------
    DataError
        As :func:`coefficient_of_variation`.

    Examples
    --------
    >>> contributions([1, 3], [1, 1], ["a", "b"])[["school", "relative", "share", "derivative"]]
      school  relative  share  derivative
    0      a       0.5    0.5      -0.375
    1      b       1.5    0.5       0.125
    """
    amount, pupils = one_series(resource, students)
    names = list(range(len(amount))) if labels is None else list(labels)
    if len(names) != len(amount):
        raise DataError(f"labels has {len(names)} entries for {len(amount)} schools.")
    known = (pupils > 0) & ~np.isnan(amount)
    cv = float(coefficient_of_variation(amount, pupils))
    ratio = np.divide(amount, pupils, out=np.full(len(amount), np.nan), where=known)
    total, total_pupils = amount[known].sum(), pupils[known].sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = ratio * (total_pupils / total)
        share = pupils / total_pupils * (relative - 1) ** 2 / np.float64(cv) ** 2
        derivative = (relative - 1 - cv**2) / (np.float64(cv) * total)
    without = np.full(len(amount), np.nan)
    without[known] = _leave_one_out(ratio[known], pupils[known])
    undefined = ~known | (not cv > EQUAL)
    found = {"school": names, "students": pupils, "ratio": ratio, "relative": relative}
    return pd.DataFrame(
        {
            **found,
            "share": np.where(undefined, np.nan, share),
            "cv_without": without,
            "derivative": np.where(undefined, np.nan, derivative),
        }
    )


def _running(ratio: Array, weight: Array) -> tuple[Array, Array, Array]:
    """Weight, mean and sum of squares of everything before each entry; updated, so that nothing cancels."""
    moments = np.zeros((3, len(ratio)))
    total = mean = square = 0.0
    for i, (x, w) in enumerate(zip(ratio.tolist(), weight.tolist(), strict=True)):
        moments[:, i] = total, mean, square
        total += w
        step = x - mean
        mean += step * w / total
        square += w * step * (x - mean)
    return moments[0], moments[1], moments[2]


def _leave_one_out(ratio: Array, weight: Array) -> Array:
    w0, m0, s0 = _running(ratio, weight)
    w1, m1, s1 = (part[::-1] for part in _running(ratio[::-1], weight[::-1]))
    with np.errstate(divide="ignore", invalid="ignore"):
        total = w0 + w1
        mean = (w0 * m0 + w1 * m1) / total
        square = s0 + s1 + (m1 - m0) ** 2 * w0 * w1 / total
        found: Array = np.where(mean > 0, np.sqrt(square / total) / mean, np.nan)
    return found


# --- the change between two years ---------------------------------------------------------------------------


def explain_change(
    before: pd.DataFrame,
    after: pd.DataFrame,
    resources: Sequence[str],
    *,
    composite: str = "mean",
    key: str = "school_id",
    students: str = "students",
) -> pd.DataFrame:
    """Split the change of every coefficient between two years into what caused it, by the Shapley rule.

    Five factors are switched from the old to the new year: ``resources`` and ``pupils`` of the schools that
    counted in both; schools ``opened`` (pupils only in the new year) and ``closed`` (pupils only in the old);
    schools ``reported`` in one year only, though they had pupils in both. The effect of a factor is its mean
    marginal effect over all orders of switching, so no order is preferred and the effects add up to the change.

    Parameters
    ----------
    before, after : DataFrame
        One row per school with ``key``, ``students`` and the resources (one stage, one year each).
    resources : sequence of str
        Resource columns.
    composite : {"mean", "max"}
        How the composite is made.
    key, students : str
        Columns of the school and of its pupils.

    Returns
    -------
    DataFrame
        One row per resource (and ``composite``) and factor: ``resource, factor, effect, schools`` (concerned;
        for the composite those concerned in any resource), ``before, after`` (the two coefficients),
        ``reason``. Effects are NaN with reason ``undefined`` where some coefficient on the way has no value,
        for instance when no school counted in both years.

    Raises
    ------
    DataError
        Missing columns, impossible amounts, a school that stands twice.

    Notes
    -----
    Shorrocks (2013), Decomposition procedures for distributional analysis: a unified framework based on the
    Shapley value, Journal of Economic Inequality 11.

    Examples
    --------
    A school of another wealth opens; nothing else happens.

    >>> old = pd.DataFrame({"school_id": ["a", "b"], "students": [100, 100], "books": [200, 200]})
    >>> new = pd.DataFrame({"school_id": ["a", "b", "c"], "students": [100, 100, 100], "books": [200, 200, 500]})
    >>> found = explain_change(old, new, ["books"]).set_index(["resource", "factor"])["effect"]
    >>> found["books"].round(4).to_dict()
    {'resources': 0.0, 'pupils': 0.0, 'opened': 0.4714, 'closed': 0.0, 'reported': 0.0}
    """
    both = _paired(before, after, list(resources), key, students)
    orders = list(product((False, True), repeat=len(FACTORS)))
    values, counts = {}, {}
    for resource in resources:
        values[resource], counts[resource] = _coalitions(both, resource, students, orders)
    values[COMPOSITE] = np.asarray(_compose(list(values.values()), composite))
    counts[COMPOSITE] = np.max(list(counts.values()), axis=0)
    return pd.DataFrame([row for name in values for row in _effects(name, values[name], counts[name], orders)])


def _compose(values: list[Array], method: str) -> float | Array:
    return composite(np.stack(values), method, axis=0)


def _paired(
    before: pd.DataFrame, after: pd.DataFrame, resources: list[str], key: str, students: str
) -> pd.DataFrame:
    if not resources:
        raise UsageError("resources is empty. To do: name at least one column.")
    parts = []
    for frame, when in ((before, "before"), (after, "after")):
        missing = [c for c in (key, students, *resources) if c not in frame]
        if missing:
            raise DataError(listing(f"columns are missing in the table {when}", missing, "add them"))
        refuse_duplicates(frame, [key])
        refuse_bad_amounts(frame, resources, students)
        parts.append(frame[[key, students, *resources]].set_index(key).astype("Float64").astype(float))
    return pd.concat(parts, axis=1, keys=["before", "after"]).sort_index()


def _coalitions(
    both: pd.DataFrame, resource: str, students: str, orders: list[tuple[bool, ...]]
) -> tuple[Array, npt.NDArray[np.int64]]:
    """Return the coefficient for every set of switched factors, and how many schools each factor concerns."""
    r0, r1 = both["before", resource].to_numpy(), both["after", resource].to_numpy()
    p0 = both["before", students].fillna(0).to_numpy()
    p1 = both["after", students].fillna(0).to_numpy()
    known0, known1 = (p0 > 0) & ~np.isnan(r0), (p1 > 0) & ~np.isnan(r1)
    stays = known0 & known1
    opened, closed = known1 & (p0 == 0), known0 & (p1 == 0)
    appeared, vanished = known1 & ~known0 & ~opened, known0 & ~known1 & ~closed
    amount, pupils = np.zeros((len(orders), len(both))), np.zeros((len(orders), len(both)))
    for i, (new_resources, new_pupils, with_opened, without_closed, as_reported) in enumerate(orders):
        old = (closed & (not without_closed)) | (vanished & (not as_reported))
        new = (opened & with_opened) | (appeared & as_reported)
        amount[i] = np.select([stays, old, new], [r1 if new_resources else r0, r0, r1], 0.0)
        pupils[i] = np.select([stays, old, new], [p1 if new_pupils else p0, p0, p1], 0.0)
    concerned = [stays & (r0 != r1), stays & (p0 != p1), opened, closed, appeared | vanished]
    return np.asarray(coefficient_of_variation(amount, pupils)), np.array([int(c.sum()) for c in concerned])


def _shapley(values: Array, orders: list[tuple[bool, ...]]) -> Array:
    """Mean marginal effect of every factor; differences first: a factor that did nothing gets exactly 0."""
    n = len(FACTORS)
    value = dict(zip(orders, values.tolist(), strict=True))
    effects = np.zeros(n)
    for chosen in orders:
        weight = factorial(sum(chosen)) * factorial(n - sum(chosen) - 1) / factorial(n) if not all(chosen) else 0
        for f in range(n):
            if not chosen[f]:
                effects[f] += weight * (value[(*chosen[:f], True, *chosen[f + 1 :])] - value[chosen])
    return effects


def _effects(
    name: str, values: Array, counts: npt.NDArray[np.int64], orders: list[tuple[bool, ...]]
) -> list[Mapping[str, Any]]:
    effects = _shapley(values, orders)
    reason = "undefined" if np.isnan(effects).any() else ""
    return [
        {
            "resource": name,
            "factor": factor,
            "effect": float(effects[f]),
            "schools": int(counts[f]),
            "before": float(values[0]),
            "after": float(values[-1]),
            "reason": reason,
        }
        for f, factor in enumerate(FACTORS)
    ]
