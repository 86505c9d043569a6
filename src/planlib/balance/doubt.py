"""How sure a coefficient is: unsettled rules, and single schools."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from planlib.balance.measure import COMPOSITE, Array, balance_table, composite
from planlib.errors import DataError, UsageError, listing
from planlib.standard import Standard, refuse_bad_amounts, refuse_duplicates, stage_resources

_NOTHING = 1e-12
_PER_YEAR = 3  # features of a school for one resource and year: P, P·d, P·d² with d = x/X̄ − 1


def sensitivity(
    schools: pd.DataFrame,
    standard: Standard,
    *,
    by: Iterable[str] = ("year", "stage"),
    choices: Mapping[str, Sequence[Any]] | None = None,
) -> pd.DataFrame:
    """Compute the composite under every choice of every unsettled rule, one rule changed at a time.

    Parameters
    ----------
    schools : DataFrame
        Raw rows, as ``standard.stage_resources`` takes them.
    standard : Standard
        Gives the default of every rule, and the choices if none are given.
    by : iterable of str
        Grouping columns.
    choices : mapping of argument to sequence of values, optional
        Arguments of ``stage_resources`` and their values; ``"standard"`` stands for the standard's own value.

    Returns
    -------
    DataFrame
        One row per rule, choice and group: ``rule, choice`` (text), ``is_default``, the columns of ``by``,
        ``schools, composite, difference`` (from the default), ``largest`` (the largest single coefficient),
        ``reason``. A group that a choice empties has a row with NaN and reason ``no_pupils``.

    Raises
    ------
    UsageError
        If no choices are given and the standard has none, or a rule is unknown.
    DataError
        As ``stage_resources``.
    """
    keys = list(by)
    chosen = standard.rules.get("sensitivity") if choices is None else choices
    if not chosen:
        raise UsageError(f"The standard {standard.name} lists no choices. To do: pass choices={{rule: [values]}}.")
    defaults = _defaults(standard)
    unknown = [rule for rule in chosen if rule not in defaults]
    if unknown:
        raise UsageError(listing("unknown rules", unknown, f"use {', '.join(defaults)}"))
    base = _composites(schools, standard, keys, {})
    parts = []
    for rule, values in chosen.items():
        for value in values:
            is_default = value == defaults[rule] or value == "standard"
            found = base if is_default else _composites(schools, standard, keys, {rule: value})
            parts.append(_compared(found, base, rule, value, is_default))
    return pd.concat(parts, ignore_index=True)


def _defaults(standard: Standard) -> dict[str, Any]:
    return {
        "min_students": standard.min_students,
        "split": "standard",
        "include_private": standard.include_private,
        "gym": standard.gym,
        "include_filling": True,
        "offcampus": False,
        "unit": "school_id",
    }


def _composites(schools: pd.DataFrame, standard: Standard, by: list[str], choice: dict[str, Any]) -> pd.DataFrame:
    rows = stage_resources(schools, standard, **choice)
    table = balance_table(rows, by, standard.per, composite=standard.composite)
    is_whole = table["resource"] == COMPOSITE
    found = table[is_whole].set_index(by)[["schools", "cv", "reason"]].rename(columns={"cv": COMPOSITE})
    return found.assign(largest=table[~is_whole].groupby(by, observed=True)["cv"].max())


def _compared(found: pd.DataFrame, base: pd.DataFrame, rule: str, value: Any, is_default: bool) -> pd.DataFrame:
    full = found.reindex(base.index)
    full["reason"] = full["reason"].fillna("no_pupils")
    full["schools"] = full["schools"].fillna(0).astype(int)
    full["difference"] = full[COMPOSITE] - base[COMPOSITE]
    full = full.reset_index()
    full.insert(0, "rule", rule)
    full.insert(1, "choice", str(value))
    full.insert(2, "is_default", is_default)
    front = ["rule", "choice", "is_default", *base.index.names, "schools", COMPOSITE, "difference"]
    return full[[*front, "largest", "reason"]]


# --- the bootstrap ------------------------------------------------------------------------------------------


def bootstrap_change(
    rows: pd.DataFrame,
    years: tuple[int, int],
    resources: Sequence[str],
    *,
    by: Sequence[str] = ("stage",),
    seed: int,
    replicates: int = 1000,
    level: float = 95.0,
    composite: str = "mean",
) -> pd.DataFrame:
    """Say how robust the change of every coefficient between two years is to single schools.

    Schools (those of either year) are drawn with replacement inside each group, each with both of its years, and
    the two coefficients are computed again from the drawn schools. Draws are independent between groups and
    shared by the resources of a group, so that the composite is of one sample.

    Parameters
    ----------
    rows : DataFrame
        ``school_id, year``, the columns of ``by``, ``students`` and the resources.
    years : (int, int)
        The old and the new year.
    resources : sequence of str
        Resource columns.
    by : sequence of str
        Groups drawn apart (stage, district).
    seed : int
        Of the random draws: same seed, same table.
    replicates : int
        How many samples.
    level : float
        Of the interval, in per cent.
    composite : {"mean", "max"}

    Returns
    -------
    DataFrame
        The columns of ``by``, ``resource`` (and ``composite``), ``schools`` (drawn from), ``before, after,
        change, lower, upper`` (percentile interval of the change), ``falling`` (share of samples in which the
        coefficient falls), ``undefined`` (samples without a coefficient; left out of the interval).

    Raises
    ------
    DataError
        Missing columns, impossible amounts, duplicate rows, a year without rows.
    UsageError
        Fewer than 2 replicates, or a level outside 0–100.

    Notes
    -----
    Schools are all there is, not a sample of more: the interval says how far the change rests on few schools,
    not how far a census errs.

    Examples
    --------
    Every school doubles its books: nothing changes in any sample.

    >>> rows = pd.DataFrame({"school_id": ["a", "b"] * 2, "stage": "primary", "year": [2020, 2020, 2023, 2023],
    ...                      "students": 100, "books": [100, 300, 200, 600]})
    >>> bootstrap_change(rows, (2020, 2023), ["books"], seed=1)[["resource", "before", "change", "upper"]]
        resource  before  change  upper
    0      books     0.5     0.0    0.0
    1  composite     0.5     0.0    0.0
    """
    keys, names = list(by), list(resources)
    _check_call(rows, years, names, keys, replicates, level)
    random = np.random.default_rng(seed)
    parts = []
    for key, features in _features(rows[rows["year"].isin(years)], years, names, keys):
        sampled = _draw(features, replicates, random)
        values = _with_composite(_coefficients(sampled, names), composite)
        whole = _with_composite(_coefficients(features.sum(axis=0, keepdims=True), names), composite)
        parts.append(_summary(key, [*names, COMPOSITE], len(features), whole[:, 0], values, level))
    return pd.concat(parts, ignore_index=True)


def _check_call(
    rows: pd.DataFrame, years: tuple[int, int], names: list[str], by: list[str], replicates: int, level: float
) -> None:
    if replicates < 2 or not 0 < level < 100 or not names:
        raise UsageError("At least one resource, 2 replicates and a level between 0 and 100 are needed.")
    missing = [c for c in ["school_id", "year", *by, "students", *names] if c not in rows]
    if missing:
        raise DataError(listing("columns are missing", missing, "make the rows with standard.stage_resources"))
    absent = [str(y) for y in years if not (rows["year"] == y).any()]
    if absent:
        raise DataError(listing("years without rows", absent, "ask for years that are in the table"))
    refuse_duplicates(rows, [*by, "school_id", "year"])
    refuse_bad_amounts(rows, names)


def _features(
    rows: pd.DataFrame, years: tuple[int, int], names: list[str], by: list[str]
) -> Iterator[tuple[dict[str, Any], Array]]:
    """Give for every group a matrix schools × (year, resource, [P, P·d, P·d²]), d = x/X̄ − 1 in that year."""
    groups = rows.groupby(by, observed=True) if by else [((), rows)]
    for key, group in groups:
        wide = group.set_index(["school_id", "year"])[["students", *names]].astype("Float64").astype(float)
        schools = wide.index.get_level_values(0).unique().sort_values()
        blocks = []
        for year in years:
            mine = wide.xs(year, level="year").reindex(schools) if year in group["year"].to_numpy() else None
            if mine is None:
                blocks.append(np.zeros((len(schools), _PER_YEAR * len(names))))
            else:
                blocks.append(_moments(mine["students"].to_numpy(), mine[names].to_numpy()))
        yield dict(zip(by, key, strict=True)), np.hstack(blocks)


def _moments(students: Array, amounts: Array) -> Array:
    known = (np.nan_to_num(students) > 0)[:, None] & ~np.isnan(amounts)
    pupils = np.where(known, students[:, None], 0.0)
    total = pupils.sum(axis=0)
    centre = np.divide(np.where(known, amounts, 0.0).sum(axis=0), total, out=np.zeros(len(total)), where=total > 0)
    # Nothing anywhere: d = −1 for every school, so that the mean is 0 and the coefficient undefined.
    scale = np.where(centre > 0, centre, 1.0)
    away = np.divide(amounts, pupils * scale, out=np.ones_like(amounts), where=known) - 1
    return np.stack([pupils, pupils * away, pupils * away**2], axis=2).reshape(len(students), -1)


def _draw(features: Array, replicates: int, random: np.random.Generator) -> Array:
    """Sums of the drawn schools' features: how often each school was drawn, times the features."""
    n = len(features)
    drawn = random.integers(0, n, size=(replicates, n), dtype=np.int32)
    drawn += n * np.arange(replicates, dtype=np.int32)[:, None]
    counts = np.bincount(drawn.reshape(-1), minlength=replicates * n).reshape(replicates, n)
    sums: Array = counts.astype(float) @ features
    return sums


def _coefficients(sums: Array, names: list[str]) -> Array:
    """From sums of features to coefficients, shape (2 years, samples, resources)."""
    parts = np.moveaxis(sums.reshape(len(sums), 2, len(names), _PER_YEAR), 1, 0)
    pupils, away, square = parts[..., 0], parts[..., 1], parts[..., 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        # The squares stand about the whole group's mean; the sample's own mean lies `shift` away from it.
        shift = away / pupils
        spread = np.sqrt(np.clip(square / pupils - shift**2, 0, None))
        found: Array = np.where(1 + shift > _NOTHING, spread / (1 + shift), np.nan)
    return found


def _with_composite(values: Array, method: str) -> Array:
    return np.concatenate([values, np.asarray(composite(values, method))[..., None]], axis=-1)


def _summary(
    key: dict[str, Any], names: list[str], schools: int, whole: Array, values: Array, level: float
) -> pd.DataFrame:
    change = values[1] - values[0]
    rows = []
    for i, name in enumerate(names):
        sampled = change[:, i][~np.isnan(change[:, i])]
        ends = np.percentile(sampled, [50 - level / 2, 50 + level / 2]) if len(sampled) else [np.nan, np.nan]
        rows.append(
            {
                **key,
                "resource": name,
                "schools": schools,
                "before": whole[0, i],
                "after": whole[1, i],
                "change": whole[1, i] - whole[0, i],
                "lower": ends[0],
                "upper": ends[1],
                "falling": (sampled < -_NOTHING).mean() if len(sampled) else np.nan,
                "undefined": len(change) - len(sampled),
            }
        )
    return pd.DataFrame(rows)
