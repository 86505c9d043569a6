"""HTML → Word or typst, by pandoc, without the network."""

import datetime as dt
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from planlib import paths
from planlib.errors import ReportError

FOLDER = paths.PACKAGE / "run" / "document"


@dataclass(frozen=True)
class Facts:
    """What a document says of itself.

    Attributes
    ----------
    language : {"zh", "en"}
    title : str
        For the file's properties.
    notice : str
        Over every page; empty for none.
    made : date
        The file's date.
    is_brief : bool
        Set closely, for a report of two pages.
    """

    language: str
    title: str
    notice: str
    made: dt.date
    is_brief: bool = False


def convert(text: str, folder: Path, form: str, made: dt.date, *options: str) -> bytes:
    """Convert HTML, whose pictures lie in the folder."""
    import pypandoc

    command = [
        pypandoc.get_pandoc_path(), "-f", "html", "-t", form, "-o", "-",
        "--shift-heading-level-by=-1", "--lua-filter", str(FOLDER / "pandoc.lua"), *options,
    ]  # fmt: skip
    moment = dt.datetime.combine(made, dt.time(), dt.UTC)
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(int(moment.timestamp()))}
    done = subprocess.run(
        command, input=text.encode(), capture_output=True, env=environment, cwd=folder, check=False
    )
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise ReportError(
            f"pandoc could not write {form} (exit {done.returncode}): {said[-1] if said else 'no word'}"
        )
    return done.stdout
