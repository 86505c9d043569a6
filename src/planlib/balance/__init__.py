"""How evenly a resource is spread over schools: measure, explain, doubt, decide.

Pure functions over arrays and DataFrames: no files, no districts, no plans. Caps, thresholds and targets are
arguments.
"""

from planlib.balance.admissions import AdmissionPlan, admission_path, admissions
from planlib.balance.bootstrap import bootstrap_change
from planlib.balance.buy import PurchasePlan, cheapest_plan
from planlib.balance.buy_stages import StagesPlan, cheapest_plan_stages
from planlib.balance.decide import REACHED, Decision, additions, transfer_bounds, transfers
from planlib.balance.doubt import sensitivity
from planlib.balance.explain import Decomposition, contributions, decompose, explain_change
from planlib.balance.many import ManyTransfers, transfers_by
from planlib.balance.measure import (
    balance_table,
    check_caps,
    check_district,
    coefficient_of_variation,
    composite,
)

__all__ = [
    "REACHED",
    "AdmissionPlan",
    "Decision",
    "Decomposition",
    "ManyTransfers",
    "PurchasePlan",
    "StagesPlan",
    "additions",
    "admission_path",
    "admissions",
    "balance_table",
    "bootstrap_change",
    "cheapest_plan",
    "cheapest_plan_stages",
    "check_caps",
    "check_district",
    "coefficient_of_variation",
    "composite",
    "contributions",
    "decompose",
    "explain_change",
    "sensitivity",
    "transfer_bounds",
    "transfers",
    "transfers_by",
]
