"""What a report asks of people, as a sheet that is sent round, filled in and read back."""

from planlib.answers.fill import fill
from planlib.answers.sheet import write_missing

__all__ = ["fill", "write_missing"]
