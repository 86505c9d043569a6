"""Plans and definitions: read strictly, every fault named with its line."""

from planlib.registry.offices import load_responsibility
from planlib.registry.plan import Plan, load_plan
from planlib.registry.targets import RELATIONS, Target, parse_target
from planlib.registry.words import LANGUAGES, codes, label, load_definitions

__all__ = [
    "LANGUAGES",
    "RELATIONS",
    "Plan",
    "Target",
    "codes",
    "label",
    "load_definitions",
    "load_plan",
    "load_responsibility",
    "parse_target",
]
