"""The rules about money: what may not fall, what must rise, what may not lie below another figure."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from planlib.evaluate.common import TOLERANCE, day, numbers, require, stamps, standing

_COLUMNS = ["check", "item", "year", "value", "previous", "is_met"]
_RISING = {
    # check → (item, must it rise or only not fall)
    "expenditure_never_falls": ("education_expenditure_yuan", False),
    "per_pupil_expenditure_never_falls": ("per_pupil_expenditure_yuan", False),
    "per_pupil_funds_preschool_rise": ("per_pupil_funds_preschool_yuan", True),
    "per_pupil_funds_primary_rise": ("per_pupil_funds_primary_yuan", True),
    "per_pupil_funds_junior_rise": ("per_pupil_funds_junior_yuan", True),
    "preschool_share_rises": ("preschool_share_pct", True),
}


def finance_checks(
    finance: pd.DataFrame,
    cutoff: str,
    *,
    order: Sequence[str] = (),
    students: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Check the rules about money, year by year.

    两个只增不减: education expenditure and expenditure per pupil do not fall. Per-pupil funds and the preschool
    share rise every year. Teachers' pay is not below civil servants' pay of the same year.

    Parameters
    ----------
    finance : DataFrame
        Long: ``item, year, value, as_of``; optional ``status``.
    cutoff : str
        ISO date; later figures are not known.
    order : sequence of str
        Standings, worst first (快报, 审定, 决算): of two figures of a year the better one is used.
    students : DataFrame, optional
        ``year, students`` of the district; gives expenditure per pupil where the item itself is not reported.

    Returns
    -------
    DataFrame
        ``check, item, year, value, previous, is_met, as_of``: a row for each year of each check. `previous` is the
        figure compared with: the year before, or civil servants' pay. `is_met` is missing where it is unknown; a
        check with no figures at all has one row without a year.

    Examples
    --------
    >>> money = pd.DataFrame({"item": "education_expenditure_yuan", "year": [2020, 2021], "value": [5.0, 4.0],
    ...                       "as_of": ["2020-12-31", "2021-12-31"]})
    >>> finance_checks(money, "2022-12-31").query("year == 2021")[["check", "is_met"]].values.tolist()
    [['expenditure_never_falls', False]]
    """
    known = _known_finance(finance, cutoff, order)
    values = known.pivot_table(index="year", columns="item", values="value", aggfunc="first")
    dates = known.groupby("year")["as_of"].max()
    values = _with_per_pupil(values, students)
    checks = [_rising(values, check, item, strict) for check, (item, strict) in _RISING.items()]
    checks.append(_pay(values))
    table = pd.concat(checks, ignore_index=True).reindex(columns=_COLUMNS)
    table["as_of"] = table["year"].map(dates)
    return table.astype({"year": "Int64", "value": "float64", "previous": "float64", "is_met": "boolean"})


def _known_finance(finance: pd.DataFrame, cutoff: str, order: Sequence[str]) -> pd.DataFrame:
    """Return one figure per item and year, the best known at the cutoff."""
    require(finance, ["item", "year", "value", "as_of"], "finance")
    known = finance.assign(stamp=stamps(finance["as_of"], "as_of"))
    known = known[(known["stamp"] <= day(cutoff, "cutoff")) & known["value"].notna()].copy()
    known["value"] = numbers(known, "value", ["item", "year"])
    known["rank"] = standing(known["status"].replace("", None), order) if "status" in known else -1.0
    known = known.sort_values(["item", "year", "rank", "stamp"], kind="stable")
    return known.drop_duplicates(["item", "year"], keep="last")


def _with_per_pupil(values: pd.DataFrame, students: pd.DataFrame | None) -> pd.DataFrame:
    """Add expenditure per pupil where it is not reported but can be had."""
    item, total = "per_pupil_expenditure_yuan", "education_expenditure_yuan"
    if item in values or students is None or total not in values:
        return values
    return values.assign(**{item: values[total] / students.set_index("year")["students"]})


def _rising(values: pd.DataFrame, check: str, item: str, strict: bool) -> pd.DataFrame:
    """Compare every year with the year before it; a gap makes the next year unknown."""
    if item not in values or values[item].isna().all():
        return pd.DataFrame({"check": [check], "item": [item], "year": pd.array([pd.NA], dtype="Int64")})
    series = values[item].dropna()
    before = series.reindex(series.index - 1).set_axis(series.index)
    change = series - before
    good = (change > TOLERANCE) if strict else (change >= -TOLERANCE)
    return _check_rows(check, item, series, before, good)


def _pay(values: pd.DataFrame) -> pd.DataFrame:
    """Compare teachers' pay with civil servants' pay of the same year."""
    check, item = "pay_not_below_civil_servants", "teacher_pay_yuan"
    if item not in values or values[item].isna().all():
        return pd.DataFrame({"check": [check], "item": [item], "year": pd.array([pd.NA], dtype="Int64")})
    series = values[item].dropna()
    other = values.get("civil_servant_pay_yuan", pd.Series(np.nan, index=values.index)).reindex(series.index)
    return _check_rows(check, item, series, other, series >= other - TOLERANCE)


def _check_rows(check: str, item: str, value: pd.Series, other: pd.Series, good: pd.Series) -> pd.DataFrame:
    """Lay out the rows of one check."""
    met = good.astype("boolean").mask(other.isna())
    rows = {"year": value.index, "value": value.to_numpy(), "previous": other.to_numpy(), "is_met": met.to_numpy()}
    table = pd.DataFrame(rows)
    table.insert(0, "check", check)
    table.insert(1, "item", item)
    return table.astype({"year": "Int64", "is_met": "boolean"})
