"""What a standard says must be done to raw measures, and whether schools meet it.

Nothing here opens a file: a standard is built from a mapping (``definitions/standards.yml`` read by somebody
else) and a date, and tables come in and go out. Sources of every value stand in that file; the reasoning in
``docs/methods.md``, section "Balance between schools".
"""

from planlib.standard.amounts import KEYS, TOLERANCE, floats, refuse_bad_amounts, refuse_duplicates
from planlib.standard.blocks import check_preschool, check_sizes
from planlib.standard.check import StandardCheck, check_standard, implausible
from planlib.standard.checklist import block_verdicts, check_blocks
from planlib.standard.resources import (
    COMPULSORY,
    SEVEN,
    STAGES,
    left_out,
    plant_shares,
    split_shares,
    stage_resources,
)
from planlib.standard.rules import Standard, standard_from, with_values

__all__ = [
    "COMPULSORY",
    "KEYS",
    "SEVEN",
    "STAGES",
    "TOLERANCE",
    "Standard",
    "StandardCheck",
    "block_verdicts",
    "check_blocks",
    "check_preschool",
    "check_sizes",
    "check_standard",
    "floats",
    "implausible",
    "left_out",
    "plant_shares",
    "refuse_bad_amounts",
    "refuse_duplicates",
    "split_shares",
    "stage_resources",
    "standard_from",
    "with_values",
]
