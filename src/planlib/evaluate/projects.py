"""The ledger of building projects: where each stands and which will not be ready in time."""

import numpy as np
import pandas as pd

from planlib.evaluate.common import day, require, stamps

PROJECT_STEPS = ("approved", "started", "completed", "handed_over", "opened")
_DONE = PROJECT_STEPS.index("handed_over")


def project_progress(projects: pd.DataFrame, cutoff: str, *, due: str | None = None) -> pd.DataFrame:
    """Say where each building project stands at the cutoff, and which will not be ready in time.

    A plan prints no date per project. A project is late when its last step plus the median time that the
    district's own projects took from that step to hand-over passes `due`; or when `due` has come and it is not
    done. The step that comes next is not before the cutoff, so nothing is expected before the cutoff plus the median
    time from that next step.

    Parameters
    ----------
    projects : DataFrame
        The ledger: ``project_id, kind`` and the dates ``approved, started, completed, handed_over, opened``, which
        may be empty.
    cutoff : str
        ISO date; later dates are blanked, they are not known yet.
    due : str, optional
        ISO date by which all should be done; without it nothing is late.

    Returns
    -------
    DataFrame
        The ledger's columns (dates after the cutoff blanked), then ``step`` (last step reached, ``planned`` if
        none), ``step_date, is_done, expected_done`` (ISO date, or missing where no project shows how long it
        takes), ``is_late`` and ``is_out_of_order`` (a later step dated before an earlier one).

    Examples
    --------
    >>> ledger = pd.DataFrame({"project_id": ["p1", "p2"], "kind": "primary",
    ...     "approved": ["2021-01-01", "2022-06-01"], "started": ["2021-06-01", None],
    ...     "completed": ["2022-06-01", None], "handed_over": ["2022-08-01", None],
    ...     "opened": ["2022-09-01", None]})
    >>> found = project_progress(ledger, "2022-12-31", due="2023-12-31")
    >>> found[["step", "expected_done", "is_late"]].values.tolist()
    [['opened', '2022-08-01', False], ['approved', '2024-03-01', True]]
    """
    require(projects, ["project_id", "kind", *PROJECT_STEPS], "projects")
    ledger = projects.reset_index(drop=True).copy()
    dates = pd.DataFrame({step: stamps(ledger[step], step) for step in PROJECT_STEPS})
    dates = dates.where(dates <= day(cutoff, "cutoff"))
    for step in PROJECT_STEPS:
        ledger[step] = dates[step].dt.strftime("%Y-%m-%d")
    reached = dates.notna().to_numpy() * np.arange(1, len(PROJECT_STEPS) + 1)
    place = reached.max(axis=1)
    ledger["step"] = np.array(["planned", *PROJECT_STEPS])[place]
    ledger["step_date"] = _step_date(dates, place).dt.strftime("%Y-%m-%d")
    ledger["is_done"] = place > _DONE
    expected = _expected_done(dates, place, day(cutoff, "cutoff"))
    ledger["expected_done"] = expected.dt.strftime("%Y-%m-%d")
    ledger["is_late"] = _is_late(expected, ledger["is_done"], cutoff, due)
    ledger["is_out_of_order"] = _out_of_order(dates)
    return ledger


def _step_date(dates: pd.DataFrame, place: np.ndarray) -> pd.Series:
    """Return the date of the last step of each project."""
    found = pd.Series(pd.NaT, index=dates.index, dtype="datetime64[us]")
    for number, step in enumerate(PROJECT_STEPS, start=1):
        found = found.mask(place == number, dates[step])
    return found


def _expected_done(dates: pd.DataFrame, place: np.ndarray, cutoff: pd.Timestamp) -> pd.Series:
    """Return when each project was or should be done, by the median time of the district's own projects."""
    # a project that was opened without a hand-over date was handed over by the day it opened
    after = list(PROJECT_STEPS[_DONE:])
    # an empty ledger loses the type of its dates here
    done = dates[after].bfill(axis=1)[PROJECT_STEPS[_DONE]].astype(dates[PROJECT_STEPS[_DONE]].dtype)
    expected = done.copy()
    # after the step that comes next, which is not before the cutoff
    rest = pd.Timedelta(0)
    for number, step in reversed(list(enumerate(PROJECT_STEPS[:_DONE], start=1))):
        took = (done - dates[step]).median()
        usual = (dates[step] + took).clip(lower=cutoff + rest) if pd.notna(rest) else dates[step] + took
        # where the time after the next step is unknown, an estimate before the cutoff says nothing
        expected = expected.mask((place == number) & done.isna(), usual.where(usual >= cutoff))
        rest = took
    return expected.dt.floor("D")


def _is_late(expected: pd.Series, done: pd.Series, cutoff: str, due: str | None) -> pd.Series:
    """Late: not done, and expected after `due` or `due` already past."""
    if due is None:
        return pd.Series(False, index=expected.index)
    limit = day(due, "due")
    return ~done & ((expected > limit) | (limit <= day(cutoff, "cutoff")))


def _out_of_order(dates: pd.DataFrame) -> pd.Series:
    """Say which projects have a later step dated before an earlier one."""
    latest = pd.Series(pd.NaT, index=dates.index, dtype="datetime64[us]")
    found = pd.Series(False, index=dates.index)
    for step in PROJECT_STEPS:
        found |= dates[step] < latest
        latest = latest.where(latest.notna() & ~(dates[step] > latest), dates[step].fillna(latest))
    return found


def project_counts(ledger: pd.DataFrame) -> pd.DataFrame:
    """Count projects by kind and last step.

    Parameters
    ----------
    ledger : DataFrame
        From :func:`project_progress`.

    Returns
    -------
    DataFrame
        ``kind, projects, planned, approved, started, completed, handed_over, opened, done, late``; the steps add
        up to ``projects``.

    Examples
    --------
    >>> ledger = pd.DataFrame({"kind": ["primary"], "step": ["opened"], "is_done": [True], "is_late": [False]})
    >>> project_counts(ledger)[["kind", "projects", "opened", "done", "late"]].values.tolist()
    [['primary', 1, 1, 1, 0]]
    """
    table = pd.crosstab(ledger["kind"], ledger["step"]).reindex(columns=["planned", *PROJECT_STEPS], fill_value=0)
    table.insert(0, "projects", table.sum(axis=1))
    flags = ledger.groupby("kind")[["is_done", "is_late"]].sum().astype("int64")
    table = table.join(flags.rename(columns={"is_done": "done", "is_late": "late"}))
    return table.rename_axis(index="kind", columns=None).reset_index()
