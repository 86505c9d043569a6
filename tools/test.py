"""Every check of the project, in the order that fails soonest; what `make test` and CI call.

Usage: python tools/test.py [--full] [--only lint|unit|notebooks]
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTEST = [sys.executable, "-m", "pytest", "-q"]


def steps(full: bool) -> dict[str, list[list[str]]]:
    """Return the commands by group."""
    marks = [] if full else ["-m", "not full"]
    return {
        "lint": [
            [sys.executable, "-m", "ruff", "check", "."],
            [sys.executable, "-m", "ruff", "format", "--check", "."],
            [sys.executable, "-m", "mypy"],
        ],
        "unit": [[*PYTEST, "-n", "2", "--dist", "loadscope", "--durations", "10", *marks]],
        # one worker per notebook: nbval's cells share a kernel; of two that clean at once one would say that it waits
        "notebooks": [
            [sys.executable, "-m", "planlib.cli", "clean", "shangcheng"],
            [
                *PYTEST, "-n", "2", "--dist", "loadfile", "--nbval", "--nbval-current-env",
                "--nbval-cell-timeout", "300", "-W", "default", "--override-ini", "addopts=", "notebooks",
            ]
        ],
    }  # fmt: skip


def main() -> int:
    """Run the groups; stop at the first that fails; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="long tests too")
    parser.add_argument("--only", choices=["lint", "unit", "notebooks"])
    chosen = parser.parse_args()
    groups = steps(chosen.full)
    for name in [chosen.only] if chosen.only else list(groups):
        for command in groups[name]:
            start = time.monotonic()
            code = subprocess.run(command, cwd=ROOT, env=_environment(chosen.full), check=False).returncode
            shown = " ".join(Path(command[0]).name if i == 0 else part for i, part in enumerate(command[:5]))
            print(f"[{time.monotonic() - start:.0f} s] {shown} …", flush=True)
            if code:
                return code
    return 0


def _environment(full: bool) -> dict[str, str]:
    fixed = {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PLANLIB_WHOLE_RUN": "1"}
    return {**os.environ, **fixed, "PLANLIB_ROOT": str(ROOT), **({"PLANLIB_FULL": "1"} if full else {})}


if __name__ == "__main__":
    sys.exit(main())
