"""Errors as part of the interface.

A message says what is wrong, where (file, sheet, cell, school, year), what was expected and what to do next.
Each class carries the exit code a scheduler sees.
"""

from collections.abc import Mapping, Sequence
from typing import Any


class PlanlibError(Exception):
    """Base of every error planlib raises on purpose; shown to people without a traceback."""

    exit_code = 1
    at: Mapping[str, Any] | None = None  # notebook, cell and heading, where a run knows them

    def _render_traceback_(self) -> list[str]:
        """Let IPython show the message alone: a person's mistake needs no traceback."""
        return [f"{type(self).__name__}: {self}"]


class DataError(PlanlibError, ValueError):
    """The data are wrong or missing: a workbook, a table, an argument of a pure function (exit 1)."""


class ReportError(PlanlibError):
    """A report could not be produced: a cell failed, an output is missing or empty (exit 1)."""


class UsageError(PlanlibError, ValueError):
    """A wrong call: unknown district, year, parameter, language (exit 2, before any kernel starts)."""

    exit_code = 2


class RegistryError(UsageError):
    """A fault in plan.yml or in definitions/: named with file and line (exit 2)."""


class KernelError(PlanlibError):
    """The kernel died or ran out of time (exit 4)."""

    exit_code = 4


class VerificationError(PlanlibError):
    """A published report is not what its own manifest gives when it is made again (exit 3)."""

    exit_code = 3


class Interrupted(PlanlibError):
    """Somebody or a scheduler stopped the run (exit 130 for Ctrl-C, 143 for SIGTERM, as shells count)."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


def listing(title: str, faults: Sequence[str], hint: str = "", shown: int = 10) -> str:
    """One message for all faults of a kind: ten shown, the rest counted.

    Parameters
    ----------
    title : str
        What is wrong, as a sentence without a full stop.
    faults : sequence of str
        Where, one entry per fault.
    hint : str
        What to do next.
    shown : int
        How many faults are written out.

    Returns
    -------
    str

    Examples
    --------
    >>> print(listing("unknown keys in plan.yml", ["line 3: colour", "line 9: siez"], "remove them"))
    unknown keys in plan.yml (2):
      line 3: colour
      line 9: siez
    To do: remove them
    """
    lines = [f"{title} ({len(faults)}):", *(f"  {fault}" for fault in faults[:shown])]
    if len(faults) > shown:
        lines.append(f"  … and {len(faults) - shown} more")
    if hint:
        lines.append(f"To do: {hint}")
    return "\n".join(lines)
