"""Errors as part of the interface.

A message says what is wrong, where (file, sheet, cell, school, year), what was expected and what to do next.
Each class carries the exit code a scheduler sees.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


class PlanlibError(Exception):
    """Base of every error planlib raises on purpose; shown to people without a traceback."""

    exit_code = 1
    at: Mapping[str, Any] | None = None  # notebook, cell and heading, where a run knows them
    record: Path | None = None  # the folder of the failed run
    short: str = ""  # what `brief` is made of, where the message is a long list

    def in_words(self, language: str) -> str:  # noqa: ARG002 - for those that speak both
        """Return the message in a language: what is said of runs is English, what is said of data overrides this."""
        return str(self)

    def brief(self) -> str:
        """Return the message in one line: what is wrong, the first place where there are several, what to do."""
        return in_one_line(self.short or str(self))

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


def in_one_line(message: str) -> str:
    r"""Return what is wrong, the first of its places, and what to do: all that a log or a mail shows of a message.

    Examples
    --------
    >>> in_one_line(listing("unknown keys in plan.yml", ["line 3: colour", "line 9: siez"], "remove them"))
    'unknown keys in plan.yml (2): line 3: colour … To do: remove them'
    >>> in_one_line(listing("unknown keys in plan.yml", ["line 3: colour"], "remove it"))
    'unknown keys in plan.yml (1): line 3: colour. To do: remove it'
    >>> in_one_line("plan.yml is missing.\nTo do: planlib new")
    'plan.yml is missing. To do: planlib new'
    """
    first, *rest = message.splitlines() or [""]
    to_do = [line[line.index("To do:") :] for line in rest if "To do:" in line]
    places = [line.strip() for line in rest if line.startswith("  ")] if first.endswith(":") else []
    said = " ".join([first, *places[:1], *["…"][: len(places) > 1]])
    stop = "" if said.endswith((".", "…", ":", "?", "!")) or not to_do else "."
    return " ".join([said + stop, *to_do[:1]])
