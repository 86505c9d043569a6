"""Run the committed notebooks on the shipped case and store their outputs, clean of traces.

Usage: python tools/notebooks.py [NAME ...]   (all without a name)
"""

import sys
from pathlib import Path

from planlib import params, paths
from planlib.run.execute import execute
from planlib.run.page import strip
from planlib.run.report import make_tables_fresh


def main(names: list[str]) -> int:
    """Execute each notebook with its own defaults, drop papermill's cell, and write it back."""
    make_tables_fresh(params.DEFAULTS["district"])
    for name, notebook in params.NOTEBOOKS.items():
        if names and name not in names:
            continue
        path = paths.notebooks() / f"{notebook.file}.ipynb"
        staged = path.with_suffix(".staged.ipynb")
        try:
            executed = execute(path, staged, {}, paths.root(), lambda *_: None)
            strip(executed, staged)
            staged.replace(path)
        finally:
            Path(staged).unlink(missing_ok=True)
        print(path.name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
