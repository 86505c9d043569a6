"""Execute one notebook with papermill, and trust nothing it says about itself."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from planlib.errors import KernelError, PlanlibError, ReportError, UsageError

# The same run on another machine must give the same tables: no hash order, no local clock, no thread race.
ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "TZ": "UTC",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "IPYTHONDIR": "",
}
CELL_SECONDS = 300


def execute(
    source: Path, target: Path, parameters: dict[str, Any], cwd: Path, progress: Callable[[str, int, int], None]
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

    Returns
    -------
    nbformat.NotebookNode

    Raises
    ------
    ReportError, UsageError, KernelError
        Naming the notebook, the cell and its heading; the executed notebook stays in `target`.
    """
    papermill = _import_papermill()
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    engine = _engine(progress)
    papermill.engines.papermill_engines.register("planlib", engine)
    try:
        with _fixed_environment():
            notebook = papermill.execute_notebook(
                str(source),
                str(target),
                parameters=parameters,
                engine_name="planlib",
                kernel_name="python3",
                language="python",
                cwd=str(cwd),
                progress_bar=False,
                execution_timeout=CELL_SECONDS,
                start_timeout=180,
                extra_arguments=["--IPKernelApp.log_level=50"],  # it warns about plain TCP at every start
            )
    except PapermillExecutionError as error:
        raise _failure(source, error, target) from None
    except CellTimeoutError:
        raise KernelError(
            f"{source.name}, {engine.at}: ran longer than {CELL_SECONDS} s and was stopped. "
            "To do: run the notebook by hand in JupyterLab to see where it hangs."
        ) from None
    except DeadKernelError:
        raise KernelError(
            f"{source.name}, {engine.at}: the kernel died (out of memory, or a crash in a library). "
            "To do: run the notebook by hand in JupyterLab; check the machine's memory."
        ) from None
    _check(notebook, source)
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


def _import_papermill() -> Any:
    # jsonschema's URI grammar costs over a second to import and no notebook of ours needs it
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    import papermill
    import papermill.engines

    return papermill


def _engine(progress: Callable[[str, int, int], None]) -> Any:
    """Return papermill's own engine with one addition: it says which cell begins."""
    from papermill.engines import NBClientEngine

    class Engine(NBClientEngine):
        at = "before the first cell"

        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **kwargs: Any) -> Any:
            cells = nb_man.nb.cells
            titles, code = headings(cells), [i for i, c in enumerate(cells) if c.cell_type == "code"]
            start = nb_man.cell_start

            def cell_start(cell: Any, cell_index: int | None = None, **rest: Any) -> Any:
                if cell_index in code:
                    cls.at = f'cell {code.index(cell_index) + 1} "{titles[cell_index]}"'
                    progress(titles[cell_index], code.index(cell_index) + 1, len(code))
                return start(cell, cell_index, **rest)

            nb_man.cell_start = cell_start
            return super().execute_managed_notebook(nb_man, kernel_name, **kwargs)

    return Engine


@contextlib.contextmanager
def _fixed_environment() -> Iterator[None]:
    """Set the kernel's environment while the block runs; IPython keeps no history in anybody's home."""
    before = {key: os.environ.get(key) for key in ENVIRONMENT}
    try:
        with tempfile.TemporaryDirectory(prefix="planlib-", ignore_cleanup_errors=True) as home:
            os.environ.update(ENVIRONMENT, IPYTHONDIR=home)
            yield
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


def _failure(source: Path, error: Any, target: Path) -> PlanlibError:
    """Return our own error for papermill's: the cell counted as people count, code cells from 1."""
    import nbformat

    cells = nbformat.read(target, as_version=4).cells
    # papermill puts an error banner on top of the file it saves; count in the file, not in its message
    failed = next((i for i, c in enumerate(cells) if _has_error(c)), None)
    if failed is None:
        where = f"cell {error.exec_count}"
    else:
        number = sum(c.cell_type == "code" for c in cells[: failed + 1])
        where = f'cell {number} "{headings(cells)[failed]}"'
    kind = UsageError if error.ename in {"UsageError", "RegistryError"} else ReportError
    own = error.ename in {"UsageError", "RegistryError", "DataError", "ReportError", "PlanlibError"}
    what = error.evalue if own else f"{error.ename}: {error.evalue}"
    return kind(f"{source.name}, {where}: {what}")


def _has_error(cell: Any) -> bool:
    return cell.cell_type == "code" and any(o.output_type == "error" for o in cell.outputs)


def _check(notebook: Any, source: Path) -> None:
    """Refuse a notebook that only looks finished: a cell not run, a word on stderr, a declared output missing."""
    titles, number, faults = headings(notebook.cells), 0, []
    for title, cell in zip(titles, notebook.cells, strict=True):
        if cell.cell_type != "code":
            continue
        number += 1
        faults += [f'cell {number} "{title}": {fault}' for fault in _cell_faults(cell, number)]
    if faults:
        raise ReportError(f"{source.name}, " + "; ".join(faults[:10]))


def _cell_faults(cell: Any, number: int) -> Iterator[str]:
    if cell.execution_count != number:
        yield f"was not executed in order (count {cell.execution_count}); did a cell call exit()?"
    written = "".join(o.text for o in cell.outputs if o.output_type == "stream" and o.name == "stderr")
    if written:
        yield f"wrote to stderr: {written.strip().splitlines()[-1]}"
    tags = cell.metadata.get("tags", [])
    for tag, mime in (("figure", "image/png"), ("table", "text/html"), ("text", "text/html")):
        if tag in tags and not any(o.get("data", {}).get(mime) for o in cell.outputs):
            yield f"declares a {tag}, but its output has none"
