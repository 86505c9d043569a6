"""Progress and status: how far each series, commitment, project and fund has come at a cutoff.

Pure: frames in, frames out. Targets and cut points are arguments (``definitions/evaluation.yml`` holds the cut
points). Only what is dated up to the cutoff is looked at; every other row might as well not exist.
"""

from planlib.evaluate.change import changes
from planlib.evaluate.commitments import commitment_progress
from planlib.evaluate.common import calendar_months, elapsed_share, round_half_up
from planlib.evaluate.finance import finance_checks
from planlib.evaluate.meet import meets
from planlib.evaluate.projects import PROJECT_STEPS, project_counts, project_progress
from planlib.evaluate.rollup import LATE, STATUS_ORDER, outlook, roll_up, sensitivity, status_counts
from planlib.evaluate.score import cagr_ratio, scorecard

__all__ = [
    "LATE",
    "PROJECT_STEPS",
    "STATUS_ORDER",
    "cagr_ratio",
    "calendar_months",
    "changes",
    "commitment_progress",
    "elapsed_share",
    "finance_checks",
    "meets",
    "outlook",
    "project_counts",
    "project_progress",
    "roll_up",
    "round_half_up",
    "scorecard",
    "sensitivity",
    "status_counts",
]
