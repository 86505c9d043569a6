"""The same runs on a Dask cluster: every machine forks its own warm kernels, the reports meet on a shared disk."""

import atexit
import os
import sys
from collections.abc import Generator
from typing import Any

from planlib import paths, store
from planlib.errors import UsageError
from planlib.run.pool import Pool
from planlib.run.work import lost

_POOLS: list[Pool] = []


def results(scheduler: str, packs: list[dict[str, Any]]) -> Generator[tuple[int, dict[str, Any]]]:
    """Send the runs to the scheduler and yield the number of each with what came of it.

    A run whose worker dies is given to another by the scheduler. A report is made once all the same: its lock lets
    one process work at a time, and whoever comes second finds the published report by its manifest.

    Parameters
    ----------
    scheduler : str
        Address, such as ``tcp://10.0.0.1:8786``.
    packs : list of dict
        What `planlib.run.work.packed` returned.

    Raises
    ------
    UsageError
        If dask.distributed is not installed, or no scheduler answers there.
    """
    try:
        from distributed import Client, as_completed
    except ImportError:
        raise UsageError(
            "--scheduler needs dask.distributed, which is not installed.\nTo do: python -m pip install 'planlib[cluster]'"
        ) from None
    try:
        client = Client(scheduler, timeout="20s")
    except (OSError, ValueError, TimeoutError) as error:
        raise UsageError(
            f"No scheduler answers at {scheduler} ({type(error).__name__}).\n"
            "To do: start one (docs/many_reports.md says how), and give the address it prints."
        ) from None
    try:
        # a worker that dies is no fault of the report it had: give it to others more often than by default
        futures = {
            client.submit(make, pack, str(paths.root()), pure=False, retries=2, key=_key(pack)): index
            for index, pack in enumerate(packs)
        }
        for future in as_completed(list(futures)):
            yield futures[future], future.result() if future.status == "finished" else _gone(future)
            future.release()
    finally:
        client.close()


def make(pack: dict[str, Any], root: str) -> dict[str, Any]:
    """Make one report on a worker, in a process of its own.

    Parameters
    ----------
    pack : dict
        What `planlib.run.work.packed` returned.
    root : str
        The project's folder, the same on every machine.
    """
    os.environ["PLANLIB_ROOT"] = root
    os.chdir(root)
    if not _POOLS:
        _POOLS.append(Pool(sys.platform != "linux"))
        atexit.register(_POOLS[0].close)
    worker = _POOLS[0].start(pack)
    code = worker.wait(pack["limits"]["run_seconds"] + 60)
    return worker.result or lost(code)


def _key(pack: dict[str, Any]) -> str:
    chosen = pack["parameters"]
    return (
        f"{pack['report']}-{chosen['district']}-{chosen['year']}-{chosen['language']}-{store.sha256_of(pack)[:8]}"
    )


def _gone(future: Any) -> dict[str, Any]:
    error = future.exception()
    return lost(None) | {
        "message": f"{type(error).__name__}: {error}\nTo do: look at the workers' logs, run it again."
    }
