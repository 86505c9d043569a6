"""The coefficient of variation between schools, of one resource or of a table at once."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from planlib.balance.parts import check_rows, is_dask, sums_of_parts
from planlib.balance.sums import Array, GroupSums, group_sums
from planlib.errors import DataError, UsageError, listing
from planlib.standard import KEYS, SEVEN, TOLERANCE, Standard, check_standard

COMPOSITE = "composite"


def coefficient_of_variation(resource: npt.ArrayLike, students: npt.ArrayLike, per: float = 1) -> float | Array:
    """Return the pupil-weighted coefficient of variation between schools (差异系数).

    With R the resource and P the pupils of each school, x = per·R/P, X̄ = per·ΣR/ΣP,

        S = √( Σ (P/ΣP)·(x − X̄)² ),   CV = S / X̄

    (population form, no n − 1).

    Parameters
    ----------
    resource : array_like, shape (..., n)
        Total amount at each school; NaN where it is unknown (left out, never taken as zero).
    students : array_like, shape (n,) or (..., n)
        Pupils at each school: whole numbers; schools with none are left out.
    per : float
        1 or 100; only the scale of x, it cancels in the coefficient.

    Returns
    -------
    float, or ndarray of shape (...)
        NaN where the coefficient is undefined: no pupils, no known value, or ΣR = 0.

    Raises
    ------
    DataError
        Shapes that do not fit, negative or infinite amounts, negative or fractional pupils, per ≤ 0.

    Notes
    -----
    教督〔2017〕6号 and its published worked examples; the mean and the deviation take two passes, so that
    sizes that differ by 1e12 do not cancel.

    Examples
    --------
    Two schools of 100 pupils with 1 and 3 teachers: mean 2, deviation 1.

    >>> coefficient_of_variation([1, 3], [100, 100], per=100)
    0.5
    """
    amount, pupils = as_amounts(resource, students)
    if not per > 0:
        raise DataError(f"per is {per}, but it must be above zero (1, or 100 for per hundred pupils).")
    known = (pupils > 0) & ~np.isnan(amount)
    amount, pupils = np.where(known, amount, 0.0), np.where(known, pupils, 0.0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        weight = pupils / pupils.sum(axis=-1, keepdims=True)
        mean = amount.sum(axis=-1, keepdims=True) / pupils.sum(axis=-1, keepdims=True)
        ratio = np.divide(amount, pupils, out=np.zeros_like(amount), where=known)
        deviation = np.where(known, ratio / mean - 1.0, 0.0)
        found = np.sqrt((weight * deviation**2).sum(axis=-1))
        found = np.where(amount.sum(axis=-1) > 0, found, np.nan)
    return float(found) if found.ndim == 0 else found


def as_amounts(resource: npt.ArrayLike, students: npt.ArrayLike) -> tuple[Array, Array]:
    """Return resource and students as checked floats of one shape (see :func:`coefficient_of_variation`)."""
    amount, pupils = _as_floats(resource, "resource"), _as_floats(students, "students")
    if amount.ndim == 0 or pupils.ndim == 0 or amount.shape[-1] != pupils.shape[-1]:
        raise DataError(
            f"resource has shape {amount.shape} and students {pupils.shape}: both need the schools on the last"
            " axis, one entry for each."
        )
    _refuse(amount, "resource", (amount < 0) | np.isinf(amount), "amounts are zero or more and finite")
    odd = (pupils < 0) | np.isinf(pupils) | (np.floor(pupils) != pupils) & ~np.isnan(pupils)
    _refuse(pupils, "students", odd, "pupils are whole numbers, zero or more")
    amount, pupils = np.broadcast_arrays(amount, pupils)
    return amount, pupils


def _as_floats(values: npt.ArrayLike, name: str) -> Array:
    try:
        if isinstance(values, pd.Series):
            return values.to_numpy(dtype=float, na_value=np.nan)
        return np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise DataError(f"{name} holds something that is not a number.\nTo do: clean it first.") from None


def _refuse(values: Array, name: str, bad: npt.NDArray[np.bool_], expected: str) -> None:
    if bad.any():
        faults = [f"{name}[{', '.join(map(str, at))}] = {values[tuple(at)]:g}" for at in np.argwhere(bad)]
        raise DataError(listing(f"impossible {name}", faults, expected))


def composite(coefficients: npt.ArrayLike, method: str = "mean", axis: int = -1) -> float | Array:
    """Return the composite of several coefficients (综合差异系数): their mean, or the largest.

    Parameters
    ----------
    coefficients : array_like
    method : {"mean", "max"}
    axis : int

    Returns
    -------
    float or ndarray
        NaN where one of them is NaN: a composite of six is not a composite of seven.

    Raises
    ------
    UsageError
        For another method.

    Examples
    --------
    >>> composite([0.25, 0.5])
    0.375
    """
    values = np.asarray(coefficients, dtype=float)
    if method not in ("mean", "max"):
        raise UsageError(f"Unknown composite {method!r}. To do: use 'mean' or 'max'.")
    if values.shape[axis] == 0:
        raise UsageError("A composite needs at least one coefficient.")
    found = values.mean(axis=axis) if method == "mean" else values.max(axis=axis)
    return float(found) if found.ndim == 0 else found


# --- a table of schools -------------------------------------------------------------------------------------


def balance_table(
    schools: pd.DataFrame,
    by: Sequence[str] | str = (),
    resources: Sequence[str] | Mapping[str, float] | None = None,
    *,
    composite: str = "mean",
    students: str = "students",
) -> pd.DataFrame:
    """Return the coefficient of every resource in every group of schools, and their composite.

    Parameters
    ----------
    schools : DataFrame, or dask DataFrame
        One row per school (and stage, year), amounts as totals: what ``standard.stage_resources`` returns. A dask
        DataFrame is summed part by part on its cluster; the sums merge, and the result is a plain DataFrame.
    by : str or sequence of str
        Grouping columns, for example ``["stage", "year"]``; empty for one group.
    resources : sequence of str, or mapping of str to float, optional
        Resource columns; a mapping says per how many pupils the mean is given (``standard.per``). Default: the
        seven of 2017, per pupil.
    composite : {"mean", "max"}
        How the composite is made.
    students : str
        Column of pupils.

    Returns
    -------
    DataFrame
        One row per group and resource, and one with ``resource == "composite"``: the columns of ``by``,
        ``resource, mean, sd, cv, schools`` (counted), ``left_out`` (without pupils), ``missing`` (with pupils
        but no value), ``reason``. A coefficient that is undefined is NaN with a reason: ``no_pupils,
        no_values, zero_resource, incomplete``; ``partial`` marks a value computed without the schools missing.

    Raises
    ------
    DataError
        Missing columns, impossible amounts, a school that stands twice in a group of stage and year.

    Examples
    --------
    >>> rows = pd.DataFrame({"area": ["n", "n", "s"], "students": [100, 100, 50], "books": [100, 300, 75]})
    >>> balance_table(rows, by="area", resources=["books"])[["area", "resource", "mean", "cv", "schools"]]
      area   resource  mean   cv  schools
    0    n      books   2.0  0.5        2
    1    n  composite   NaN  0.5        2
    2    s      books   1.5  0.0        1
    3    s  composite   NaN  0.0        1
    """
    names = [by] if isinstance(by, str) else list(by)
    scale = _scales(schools, names, resources, students)
    if composite not in ("mean", "max"):
        raise UsageError(f"Unknown composite {composite!r}. To do: use 'mean' or 'max'.")
    if is_dask(schools):
        return table_of(sums_of_parts(schools, names, list(scale), students), scale, composite)
    check_rows(schools, list(scale), students)
    return table_of(group_sums(schools, names, list(scale), students), scale, composite)


def table_of(sums: GroupSums, scale: Mapping[str, float], composite: str) -> pd.DataFrame:
    """Turn sums into the table of coefficients, resources in the order of ``scale``."""
    parts = [_one_resource(sums, k, per) for k, per in enumerate(scale.values())]
    parts.append(_composite_part(parts, sums.counted, composite))
    return _long(sums.groups, [*scale, COMPOSITE], parts, sums.left_out)


def _scales(
    schools: pd.DataFrame, by: list[str], resources: Sequence[str] | Mapping[str, float] | None, students: str
) -> dict[str, float]:
    if resources is None:
        resources = SEVEN
    if isinstance(resources, str):
        resources = [resources]
    scale = dict(resources) if isinstance(resources, Mapping) else dict.fromkeys(resources, 1.0)
    missing = [c for c in dict.fromkeys([*by, students, *scale]) if c not in schools.columns]
    if missing:
        hint = "make the rows with standard.stage_resources, or name your own columns in resources and by"
        raise DataError(listing("columns are missing", missing, hint))
    if not scale:
        raise UsageError("resources is empty. To do: name at least one column.")
    not_numbers = [c for c in (students, *scale) if not pd.api.types.is_numeric_dtype(schools.dtypes[c])]
    if not_numbers:
        raise DataError(listing("columns that are not numbers", not_numbers, "clean them first"))
    return {name: float(per) for name, per in scale.items()}


def _one_resource(sums: GroupSums, k: int, per: float) -> dict[str, Any]:
    schools, held = sums.schools[k], sums.held[k]
    missing = sums.counted - schools
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = held / sums.pupils[k]
        sd = np.sqrt(sums.square[k] / sums.pupils[k])
        cv = np.where(held > 0, sd / mean, np.nan)
    reason = _reason(
        no_pupils=sums.counted == 0, no_values=schools == 0, zero_resource=held <= 0, partial=missing > 0
    )
    return {"mean": per * mean, "sd": per * sd, "cv": cv, "schools": schools, "missing": missing, "reason": reason}


_REASONS = ("", "no_pupils", "no_values", "zero_resource", "incomplete", "partial")


def _reason(**flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.int8]:
    """Number in ``_REASONS`` of the first flag that is set: words are laid out once, for the whole table."""
    codes = [_REASONS.index(name) for name in flags]
    return np.select(list(flags.values()), codes, 0).astype(np.int8)


def _composite_part(parts: list[dict[str, Any]], schools: npt.NDArray[np.intp], method: str) -> dict[str, Any]:
    cv = composite([part["cv"] for part in parts], method, axis=0)
    nothing = np.full(len(schools), np.nan)
    is_partial = np.any([part["missing"] > 0 for part in parts], axis=0)
    reason = _reason(no_pupils=schools == 0, incomplete=np.isnan(cv), partial=is_partial)
    missing = np.max([part["missing"] for part in parts], axis=0)
    return {"mean": nothing, "sd": nothing, "cv": cv, "schools": schools, "missing": missing, "reason": reason}


def _long(
    groups: pd.DataFrame, names: list[str], parts: list[dict[str, Any]], left_out: npt.NDArray[np.intp]
) -> pd.DataFrame:
    n, k = len(groups), len(names)
    table = groups.iloc[np.repeat(np.arange(n), k)].reset_index(drop=True)
    table["resource"] = pd.array(names, dtype="str").take(np.tile(np.arange(k), n))
    columns = {c: np.stack([part[c] for part in parts], axis=1).reshape(-1) for c in parts[0]}
    columns["left_out"] = np.repeat(left_out, k)
    columns["reason"] = pd.array(_REASONS, dtype="str").take(columns["reason"])
    for column in ("mean", "sd", "cv", "schools", "left_out", "missing", "reason"):
        table[column] = columns[column]
    return table


# --- caps and the verdict on a district ---------------------------------------------------------------------


def check_caps(table: pd.DataFrame, caps: Mapping[str, float], applies_to: str = "each") -> pd.DataFrame:
    """Compare the coefficients of a balance table with the caps of their stage.

    Parameters
    ----------
    table : DataFrame
        From :func:`balance_table`, with ``stage`` among its keys.
    caps : mapping of stage to float
        Largest coefficient, inclusive; compared unrounded with a tolerance of 1e-9.
    applies_to : {"each", "composite"}
        Whether the cap binds every single resource (2017) or the composite (2012).

    Returns
    -------
    DataFrame
        The table with ``cap`` (NaN on rows it does not bind) and ``is_within`` (NA where there is no cap or
        the coefficient is undefined).

    Raises
    ------
    DataError
        If the table has no stage.

    Examples
    --------
    >>> rows = pd.DataFrame({"stage": ["primary"], "resource": ["books"], "cv": [0.5004]})
    >>> bool(check_caps(rows, {"primary": 0.5}).is_within[0])
    False
    """
    if "stage" not in table:
        raise DataError("The balance table has no column stage.\nTo do: make it with by=['stage', …].")
    is_composite = table["resource"] == COMPOSITE
    binds = is_composite if applies_to == "composite" else ~is_composite
    cap = table["stage"].astype("object").map(dict(caps)).astype(float).where(binds)
    within = (table["cv"] <= cap + TOLERANCE).astype("boolean").mask(cap.isna() | table["cv"].isna())
    return table.assign(cap=cap, is_within=within)


def check_district(stage_rows: pd.DataFrame, standard: Standard, by: Iterable[str] = ("year",)) -> pd.DataFrame:
    """Say per year and stage whether the resources of a district meet a standard (资源配置达标).

    They do only if every school passes and every coefficient is inside its cap. This is one of the four blocks
    of the assessment, not the recognition itself.

    Parameters
    ----------
    stage_rows : DataFrame
        From ``standard.stage_resources``.
    standard : Standard
        With thresholds and caps.
    by : iterable of str
        Grouping columns beside the stage.

    Returns
    -------
    DataFrame
        The columns of ``by``, ``stage, schools, passing, failing, worst_resource, worst_cv, composite, cap,
        over_cap`` (number of coefficients above it), ``is_met``. A coefficient that is undefined, or made
        without some schools, is not a coefficient inside its cap.

    Raises
    ------
    DataError, UsageError
        As ``check_standard`` and :func:`balance_table`.
    """
    keys = [*dict.fromkeys([*by, "stage"])]
    rows = stage_rows.drop(columns="is_passing", errors="ignore")
    verdicts = check_standard(rows, standard).schools[[*KEYS, "is_passing"]]
    passed = rows.merge(verdicts, on=KEYS).groupby(keys, observed=True)["is_passing"].agg(["size", "sum"])
    table = balance_table(rows, keys, standard.per, composite=standard.composite)
    table = check_caps(table, standard.caps, standard.cap_applies_to)
    singles = table[table["resource"] != COMPOSITE]
    worst = singles.sort_values("cv").groupby(keys, observed=True)[["resource", "cv"]].last()
    found = passed.rename(columns={"size": "schools", "sum": "passing"})
    found["failing"] = found["schools"] - found["passing"]
    found[["worst_resource", "worst_cv"]] = worst
    found["composite"] = table[table["resource"] == COMPOSITE].set_index(keys)["cv"]
    bound = table[table["cap"].notna()].groupby(keys, observed=True)
    found["cap"] = bound["cap"].first()
    found["over_cap"] = bound["is_within"].agg(lambda s: int((~s.fillna(True)).sum()))
    certain = bound[["is_within", "reason"]].apply(
        lambda g: bool(g["is_within"].fillna(False).all() and (g["reason"] == "").all())
    )
    found["is_met"] = (found["failing"] == 0) & certain
    return found.reset_index()
