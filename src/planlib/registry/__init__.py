"""Plans and definitions: read strictly, every fault named with its line."""

from planlib.registry.offices import load_responsibility
from planlib.registry.phrases import heading, phrase
from planlib.registry.plan import Plan, load_plan
from planlib.registry.targets import RELATIONS, Target, parse_target
from planlib.registry.words import LANGUAGES, codes, label, load_definitions
from planlib.registry.written import check_written, load_explanations

__all__ = [
    "LANGUAGES",
    "RELATIONS",
    "Plan",
    "Target",
    "check_written",
    "codes",
    "heading",
    "label",
    "load_definitions",
    "load_explanations",
    "load_plan",
    "load_responsibility",
    "parse_target",
    "phrase",
]
