"""Execute a notebook into a finished report or a clear failure, never half of one."""

import sys

# jsonschema's URI grammar costs every import of nbformat over a second, and no notebook of ours needs it
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

from planlib.run.report import Outcome, run_report  # noqa: E402
from planlib.run.request import Limits  # noqa: E402

__all__ = ["Limits", "Outcome", "run_report"]
