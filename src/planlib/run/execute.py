"""Execute one notebook with papermill, and trust nothing it says about itself."""

import base64
import contextlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from planlib.errors import KernelError, ReportError, UsageError
from planlib.run.request import Limits

# The same run on another machine must give the same tables: no hash order, no local clock, no thread race.
ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "TZ": "UTC",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
START_SECONDS = 180
COLLECT = (50_000, 20, 100)
"""How rarely to look for garbage: a run ends before it matters, and a figure is thousands of objects that live on."""
DECLARED = {"figure": "image/png", "table": "text/html", "text": "text/html"}
"""What a cell's tag declares, and the kind of output that must be there for it."""

Progress = Callable[[str, int, int], None]


def execute(
    source: Path,
    target: Path,
    parameters: dict[str, Any],
    cwd: Path,
    progress: Progress,
    limits: Limits = Limits(),  # noqa: B008 - frozen
) -> Any:
    """Execute `source` into `target` and return the notebook.

    Parameters
    ----------
    source, target : Path
        The committed notebook; the file inside the staging folder.
    parameters : dict
        Checked literals to inject.
    cwd : Path
        Working directory of the kernel.
    progress : callable
        Called before each code cell with its heading, its number and the count of code cells.
    limits : Limits

    Returns
    -------
    nbformat.NotebookNode

    Raises
    ------
    ReportError, UsageError, KernelError
        Naming the notebook, the cell and its heading, in words and in the attribute ``at``; the notebook as far as
        it came stays in `target`.
    """
    import papermill

    from planlib.run.forked import use_warm_kernels

    use_warm_kernels()
    home = target.with_suffix(".kernel")
    home.mkdir()
    engine = _engine(progress, limits, home)
    papermill.engines.papermill_engines.register("planlib", engine)
    try:
        notebook = papermill.execute_notebook(
            str(source),
            None,  # whoever called writes it, once; a failed one is kept below
            parameters=parameters,
            engine_name="planlib",
            kernel_name="python3",
            language="python",
            cwd=str(cwd),
            progress_bar=False,
        )
        _check(notebook, source)
    except BaseException as error:
        _keep(engine.notebook, target)
        raise _named(error, source, engine, limits) from None
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return notebook


def headings(cells: list[Any]) -> list[str]:
    """Return for every cell the last Markdown heading above it (its Chinese half where it has two).

    Examples
    --------
    >>> headings([{"cell_type": "markdown", "source": "## 载入 Load"}, {"cell_type": "code", "source": "x"}])
    ['载入 Load', '载入 Load']
    """
    found, current = [], ""
    for cell in cells:
        if cell["cell_type"] == "markdown":
            lines = [line for line in cell["source"].splitlines() if line.startswith("#")]
            current = lines[0].lstrip("# ") if lines else current
        found.append(current)
    return found


def code_cells(notebook: Any) -> list[tuple[int, str, Any]]:
    """Return the number (from 1, as people count), the heading and the cell of every code cell."""
    titled = zip(headings(notebook.cells), notebook.cells, strict=True)
    code = [(title, cell) for title, cell in titled if cell.cell_type == "code"]
    return [(number, title, cell) for number, (title, cell) in enumerate(code, 1)]


def _engine(progress: Progress, limits: Limits, home: Path) -> Any:
    """Return papermill's own engine with additions: it knows which cell runs, and holds the limits."""
    from papermill.clientwrap import PapermillNotebookClient
    from papermill.engines import NBClientEngine
    from papermill.log import logger

    class Client(PapermillNotebookClient):
        def start_new_kernel(self, **options: Any) -> None:
            # its connection file stays in the staging folder, not in anybody's home
            self.km.connection_file = str(home / "connection.json")
            self.km.client_factory = _client_class()
            super().start_new_kernel(**options)
            _limit_memory(self.km.provisioner.pid, limits.memory_mb)

    class Engine(NBClientEngine):
        number, title, notebook = 0, "", None

        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **_: Any) -> Any:
            cls.notebook = nb_man.nb
            code = {id(cell): (number, title) for number, title, cell in code_cells(nb_man.nb)}
            start = nb_man.cell_start

            def cell_start(cell: Any, *rest: Any, **more: Any) -> Any:
                if id(cell) in code:
                    cls.number, cls.title = code[id(cell)]
                    progress(cls.title, cls.number, len(code))
                return start(cell, *rest, **more)

            nb_man.cell_start = cell_start
            client = Client(
                nb_man,
                kernel_name=kernel_name,
                log=logger,
                timeout=limits.cell_seconds,
                startup_timeout=START_SECONDS,
                shutdown_kernel="immediate",  # nothing in it is worth the wait
                extra_arguments=[
                    "--IPKernelApp.log_level=50",  # it warns about plain TCP at every start
                    "--HistoryManager.enabled=False",  # nobody scrolls back, and its database waits for the disk
                    f"--IPKernelApp.exec_lines=__import__('gc').set_threshold{COLLECT};",
                ],
            )
            return client.execute(env={**os.environ, **ENVIRONMENT, "IPYTHONDIR": str(home)})

    return Engine


def _client_class() -> Any:
    """Return Jupyter's client, but ready as soon as the kernel answers and is heard.

    Its parent then waits for a fifth of a second of silence; whoever executes cells knows their messages anyway.
    """
    from queue import Empty

    from jupyter_client.asynchronous import AsyncKernelClient

    class Client(AsyncKernelClient):
        async def wait_for_ready(self, timeout: float | None = None) -> None:
            deadline = time.monotonic() + (timeout or START_SECONDS)
            while not await self._is_heard():
                if time.monotonic() > deadline or not await self._async_is_alive():
                    raise RuntimeError("the kernel did not start")

        async def _is_heard(self) -> bool:
            self.kernel_info()
            try:
                self._handle_kernel_info_reply(await self.get_shell_msg(timeout=1))
                await self.get_iopub_msg(timeout=0.2)
            except Empty:
                return False
            return True

    return Client


def _limit_memory(pid: int, memory_mb: int | None) -> None:
    """Limit the kernel's address space (Linux): too much is a MemoryError in a cell, not a dead machine."""
    if memory_mb is None:
        return
    import resource

    size = memory_mb * 1024 * 1024
    resource.prlimit(pid, resource.RLIMIT_AS, (size, size))


def _keep(notebook: Any, target: Path) -> None:
    """Write the notebook as far as it came, for whoever looks for the cause; papermill did so if a cell failed."""
    import nbformat

    if notebook is not None and not target.exists():
        with contextlib.suppress(OSError):  # a full disk is already being reported
            nbformat.write(notebook, target)


def _named(error: BaseException, source: Path, engine: Any, limits: Limits) -> BaseException:
    """Return our own error for papermill's and nbclient's, with the place it happened at."""
    from nbclient.exceptions import CellTimeoutError
    from papermill.exceptions import PapermillExecutionError

    where = f'cell {engine.number} "{engine.title}"' if engine.number else "before the first cell"
    if isinstance(error, PapermillExecutionError):
        own = error.ename in {"UsageError", "RegistryError", "DataError", "ReportError", "PlanlibError"}
        kind = UsageError if error.ename in {"UsageError", "RegistryError"} else ReportError
        what = error.evalue if own else f"{error.ename}: {error.evalue}"
        named: BaseException = kind(f"{source.name}, {where}: {what}")
    elif isinstance(error, CellTimeoutError):
        named = KernelError(
            f"{source.name}, {where}: ran longer than {limits.cell_seconds} s and was stopped.\n"
            "To do: run the notebook by hand in JupyterLab to see where it hangs, or raise cell_seconds."
        )
    elif isinstance(
        error, RuntimeError | TimeoutError
    ):  # nbclient's DeadKernelError, jupyter_client's own at the start
        named = KernelError(
            f"{source.name}, {where}: the kernel died (out of memory, or a crash in a library).\n"
            "To do: run the notebook by hand in JupyterLab; check the machine's memory."
        )
    else:
        named = error
    if getattr(error, "at", None) is None:
        named.at = {"notebook": source.name, "cell": engine.number, "heading": engine.title}  # type: ignore[attr-defined]
    return named


def _check(notebook: Any, source: Path) -> None:
    """Refuse a notebook that only looks finished: a cell not run, a word on stderr, a declared output missing."""
    faults = [
        (number, title, fault) for number, title, cell in code_cells(notebook) for fault in _faults(cell, number)
    ]
    if faults:
        first, *rest = (f'cell {number} "{title}": {fault}' for number, title, fault in faults)
        more = f"; and {len(rest)} more\n  " + "\n  ".join(rest) if rest else ""
        error = ReportError(f"{source.name}, {first}{more}")
        error.at = {"notebook": source.name, "cell": faults[0][0], "heading": faults[0][1]}
        raise error


def _faults(cell: Any, number: int) -> Iterator[str]:
    if cell.execution_count != number:
        yield f"was not executed in order (count {cell.execution_count}); did a cell call exit()?"
    written = "".join(o.text for o in cell.outputs if o.output_type == "stream" and o.name == "stderr")
    if written:
        yield f"wrote to stderr: {written.strip().splitlines()[-1]}"
    for tag in set(cell.metadata.get("tags", [])) & set(DECLARED):
        shown = [o.data[DECLARED[tag]] for o in cell.outputs if DECLARED[tag] in o.get("data", {})]
        if not any(_holds(tag, content) for content in shown):
            yield f"declares a {tag}, but its output {'is empty' if shown else 'has none'}"


def _holds(tag: str, content: str) -> bool:
    """Tell whether an output is more than a frame: a picture with pixels, a table with a cell, a text with a word."""
    if tag == "figure":
        return base64.b64decode(content).startswith(b"\x89PNG\r\n\x1a\n")
    if tag == "table":
        return "<td" in content
    return bool(re.sub(r"<[^>]*>", "", content).strip())
