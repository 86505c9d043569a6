"""One report of many, made in whatever process: what is sent to it, and what it says came of it."""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from planlib import params, paths
from planlib.errors import PlanlibError
from planlib.run.forked import SOCKET
from planlib.run.report import run_request
from planlib.run.request import Limits, Request


def work(request: dict[str, Any]) -> dict[str, Any]:
    """Make one report in this process and say what came of it; never raise for a report that failed.

    Parameters
    ----------
    request : dict
        What `packed` returned.

    Returns
    -------
    dict
        ``status`` (made, unchanged, failed), ``exit_code``, ``message``, ``brief`` (the same in a line, where it
        failed), ``folder`` (of the report or of what a failed run left), ``is_warm``, ``seconds``.
    """
    begun = time.monotonic()
    said: dict[str, Any] = {"status": "failed", "exit_code": 1, "message": "", "folder": ""}
    is_warm = SOCKET in os.environ
    try:
        asked = Request(
            request["report"],
            params.resolve(request["report"], request["parameters"]),
            tuple(request["formats"]),
            Limits(**request["limits"]),
        )
        outcome = run_request(asked, force=request["force"], report_progress=False)
        status = "made" if outcome.is_new else "unchanged"
        said |= {"status": status, "exit_code": 0, "folder": _in_project(outcome.folder)}
    except PlanlibError as error:
        said |= {"exit_code": error.exit_code, "message": str(error), "brief": error.brief()}
        said |= {"folder": _in_project(error.record)} if error.record else {}
    except Exception as error:
        said |= {"message": f"{type(error).__name__}: {error}"}
    return {**said, "is_warm": is_warm, "seconds": round(time.monotonic() - begun, 3)}


def _in_project(folder: Path) -> str:
    return folder.relative_to(paths.root()).as_posix()


def packed(request: Request, force: bool = False) -> dict[str, Any]:
    """Return a request as plain values, to be sent to another process or machine."""
    limits = {name: getattr(request.limits, name) for name in Limits.__dataclass_fields__}
    return {
        "report": request.name,
        "parameters": request.parameters.as_injected(),
        "formats": list(request.formats),
        "limits": limits,
        "force": force,
    }


def lost(code: int | None) -> dict[str, Any]:
    """Return what is said of a run whose process ended without a word."""
    message = (
        f"The process of this run was killed (exit {code}).\nTo do: check the machine's memory, run it again."
    )
    return {"status": "failed", "exit_code": 4, "message": message, "folder": "", "seconds": 0.0}


if __name__ == "__main__":
    print(json.dumps(work(json.loads(sys.argv[1]))))
