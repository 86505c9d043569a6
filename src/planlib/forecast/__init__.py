"""Forecasts of short annual series that know how much they do not know.

Public names: :func:`forecast`, :func:`probability`, :func:`required_change`, :func:`feasible_targets`,
:func:`backtest`, :func:`read_table`.
"""

from planlib.forecast.backtest import backtest
from planlib.forecast.model import forecast
from planlib.forecast.table import Table, read_table
from planlib.forecast.targets import feasible_targets, probability, required_change

__all__ = ["Table", "backtest", "feasible_targets", "forecast", "probability", "read_table", "required_change"]
