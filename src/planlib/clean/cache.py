"""What was read from each workbook, kept by content: a changed workbook is read again, the others are not.

One file for all workbooks of a district. It is only ever a shortcut: if it is absent, damaged or of another
version, everything is read again.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather

from planlib.clean import frames
from planlib.clean.workbook import Parsed, framed

_PARTS = ("cells", "extra", "sheets", "issues")


def load(folder: Path, code: str, wanted: Mapping[str, str]) -> dict[str, pd.DataFrame]:
    """Return the kept frames, restricted to files whose content is still the same.

    Parameters
    ----------
    folder : Path
        Where the cache stands.
    code : str
        Digest of the code and definitions that read the files.
    wanted : mapping
        File → SHA-256 of its content.

    Returns
    -------
    dict of DataFrame
        ``cells``, ``extra``, ``sheets``, ``issues``, as `planlib.clean.workbook.framed` has them; empty if nothing can
        be used.
    """
    for left_by_a_killed_run in _beside(folder):
        shutil.rmtree(left_by_a_killed_run, ignore_errors=True)
    try:
        if json.loads((folder / "code.json").read_text(encoding="utf-8")) != code:
            return {}
        kept = {part: feather.read_feather(folder / f"{part}.feather") for part in _PARTS}
        sheets = kept["sheets"]
        # A file that could not be read has no sheet: it is read again, so its issue is not kept.
        same = set(sheets.loc[sheets["file"].map(wanted) == sheets["sha256"], "file"])
        return {part: frame[frame["file"].isin(same)] for part, frame in kept.items()}
    except (OSError, ValueError, KeyError, pa.ArrowException):
        return {}


def _beside(folder: Path) -> tuple[Path, Path]:
    """Return where the next cache is written and where the one before it goes while they change places."""
    return folder.with_name(f"{folder.name}.new"), folder.with_name(f"{folder.name}.old")


def files(kept: Mapping[str, pd.DataFrame]) -> set[str]:
    """Return the files that need not be read again."""
    return set(kept["sheets"]["file"]) if kept else set()


def save(folder: Path, code: str, parts: Mapping[str, pd.DataFrame]) -> None:
    """Keep the frames for the next run; a cache that cannot be written is no fault."""
    new, old = _beside(folder)
    try:
        new.mkdir(parents=True)
        for part in _PARTS:
            feather.write_feather(parts[part].reset_index(drop=True), new / f"{part}.feather", "lz4")
        (new / "code.json").write_text(json.dumps(code), encoding="utf-8")
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    except OSError:
        shutil.rmtree(new, ignore_errors=True)


def labelled(parsed: Parsed, file: str, digest: str) -> dict[str, pd.DataFrame]:
    """Return the frames of one workbook with its name and the digest of its content."""
    return framed([(parsed, file, digest)])


def joined(chunks: list[dict[str, pd.DataFrame]]) -> dict[str, pd.DataFrame]:
    """Return the frames of many workbooks as one frame of each kind, ordered by file."""
    made = {part: frames.stacked([chunk[part] for chunk in chunks]) for part in _PARTS}
    # Files are read in order: only what is new beside what was kept needs sorting, which copies everything.
    for part, frame in made.items():
        at = frame["file"].cat.codes if part == "cells" else frame["file"]
        if not at.is_monotonic_increasing:
            made[part] = frame.sort_values("file", kind="stable", ignore_index=True)
    return made
