"""Execute a notebook into a finished report or a clear failure, never half of one."""

from planlib.run.report import Outcome, run_report

__all__ = ["Outcome", "run_report"]
