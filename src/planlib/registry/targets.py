"""Printed targets: what ``>95``, ``≥25%`` and ``0.3`` say."""

import re
from typing import NamedTuple

from planlib.errors import RegistryError

RELATIONS = ("=", ">", "≥", "<", "≤", "≈")

_PRINTED = re.compile(r"([=>≥<≤≈]?)\s*(-?[0-9]+(?:\.([0-9]+))?)\s*(%?)")


class Target(NamedTuple):
    """A printed number: its relation, its value, and how many decimals it is printed with."""

    relation: str
    value: float
    precision: int


def parse_target(text: str) -> Target:
    """Read a baseline or a target as the plan prints it.

    No sign means ``=``; a percent sign is dropped, the unit says it; the precision is the number of decimals.

    Parameters
    ----------
    text : str
        A number, before it at most one of ``= > ≥ < ≤ ≈``, after it at most a percent sign.

    Returns
    -------
    Target

    Raises
    ------
    RegistryError
        If the text is anything else.

    Examples
    --------
    >>> parse_target(">95")
    Target(relation='>', value=95.0, precision=0)
    >>> parse_target("≥25%")
    Target(relation='≥', value=25.0, precision=0)
    >>> parse_target("<50.78")
    Target(relation='<', value=50.78, precision=2)
    >>> parse_target("0.3")
    Target(relation='=', value=0.3, precision=1)
    >>> parse_target("≈8")
    Target(relation='≈', value=8.0, precision=0)
    """
    found = _PRINTED.fullmatch(text.strip())
    if not found:
        raise RegistryError(
            f"{text!r} is no printed number, expected for example '85', '>95', '≥25%' or '0.305'.\n"
            "To do: write the sign as one of = > ≥ < ≤ ≈ and the digits without blanks or commas."
        )
    sign, number, decimals, _ = found.groups()
    return Target(sign or "=", float(number), len(decimals or ""))
