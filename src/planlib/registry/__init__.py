"""Plans and definitions: read strictly, every fault named with its line."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_FROM = {
    "offices": ("load_responsibility",),
    "phrases": ("heading", "phrase"),
    "plan": ("Plan", "load_plan"),
    "targets": ("RELATIONS", "Target", "parse_target"),
    "words": ("LANGUAGES", "codes", "label", "load_definitions"),
    "written": ("check_written", "load_explanations"),
}


def __getattr__(name: str) -> Any:
    """Import a name when it is first used: a fault in a run file is said without waiting for pandas."""
    for module, names in _FROM.items():
        if name in names:
            return getattr(importlib.import_module(f"planlib.registry.{module}"), name)
    raise AttributeError(f"module 'planlib.registry' has no attribute {name!r}")
