"""Where things stand: the root and its folders, never relative to the working directory."""

import importlib.util
import os
import re
from functools import cache
from pathlib import Path

from planlib.errors import UsageError

PACKAGE = Path(__file__).resolve().parent
DEFINITIONS = PACKAGE / "definitions"
FONT_PACKAGE = "zhplot"
FONT_FILE = "fonts/NotoSansSC-Regular.ttf"

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


def root() -> Path:
    """Return the folder that holds ``data/raw``.

    ``PLANLIB_ROOT`` if it is set; else the nearest folder upward from the working directory, then from the
    package itself, that has ``data/raw``.

    Returns
    -------
    Path

    Raises
    ------
    UsageError
        If no such folder is found.
    """
    named = os.environ.get("PLANLIB_ROOT")
    if named:
        if not (Path(named) / "data" / "raw").is_dir():
            raise UsageError(
                f"PLANLIB_ROOT is {named}, but there is no folder data/raw in it.\n"
                "To do: point PLANLIB_ROOT at the folder that holds data/raw, or unset it."
            )
        return Path(named).resolve()
    for start in (Path.cwd(), PACKAGE):
        for folder in (start, *start.parents):
            if (folder / "data" / "raw").is_dir():
                return folder
    raise UsageError(
        f"No folder with data/raw was found upward from {Path.cwd()}.\n"
        "To do: run inside the project, or set PLANLIB_ROOT to the folder that holds data/raw."
    )


def districts() -> list[str]:
    """Return the names of the districts that have a folder with a plan.yml under ``data/raw``."""
    return sorted(p.parent.name for p in (root() / "data" / "raw").glob("*/plan.yml"))


def raw(district: str) -> Path:
    """Return ``data/raw/<district>`` of a district that exists.

    Raises
    ------
    UsageError
        If the name is not a plain folder name or has no plan.yml; lists the districts there are.
    """
    folder = root() / "data" / "raw" / district
    if not _NAME.fullmatch(district) or not (folder / "plan.yml").is_file():
        known = ", ".join(districts()) or "none"
        raise UsageError(
            f"Unknown district {district!r}: there is no data/raw/{district}/plan.yml.\n"
            f"Known districts: {known}. To do: check the spelling, or start it with `planlib new`."
        )
    return folder


def new(district: str) -> Path:
    """Return ``data/raw/<district>`` of a district that is to be made.

    Raises
    ------
    UsageError
        If the name is not a plain folder name, or something of this name is there already.
    """
    if not _NAME.fullmatch(district):
        raise UsageError(
            f"{district!r} cannot be the name of a district's folder; nothing was written.\n"
            "To do: use lower-case letters, digits, - and _, for example xihu."
        )
    folder = root() / "data" / "raw" / district
    if folder.exists() or folder.is_symlink():
        raise UsageError(taken(folder))
    return folder


def taken(folder: Path) -> str:
    """Return what to say where a new district's folder exists already."""
    return f"{folder} is there already; nothing was written.\nTo do: choose another name, or move the folder away."


def processed(district: str) -> Path:
    """Return ``data/processed/<district>`` (may not exist yet)."""
    return root() / "data" / "processed" / raw(district).name


def reports() -> Path:
    """Return ``reports`` (may not exist yet)."""
    return root() / "reports"


def notebooks() -> Path:
    """Return the folder of the notebooks: the root's own, else those that came with the package or its checkout.

    Raises
    ------
    UsageError
        If there are none anywhere.
    """
    places = (root() / "notebooks", PACKAGE / "notebooks", PACKAGE.parent.parent / "notebooks")
    for place in places:
        if place.is_dir():
            return place
    raise UsageError(f"No folder of notebooks at {places[0]}.\nTo do: copy notebooks/ there from the project.")


@cache
def font_file() -> Path:
    """Return the path of the Chinese font, found without importing the package that carries it.

    Returns
    -------
    Path

    Raises
    ------
    UsageError
        If the package or its font is not installed; says how to install it.

    Examples
    --------
    >>> font_file().name
    'NotoSansSC-Regular.ttf'
    """
    spec = importlib.util.find_spec(FONT_PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / FONT_FILE
        if path.is_file():
            return path
    where = "the package is not installed" if spec is None else f"the package has no {FONT_FILE}"
    raise UsageError(
        f"The Chinese font Noto Sans SC was not found in the package {FONT_PACKAGE}: {where}.\n"
        "Figures in Chinese would show empty boxes, so none is drawn.\n"
        f"To do: install what requirements.lock names (or: python -m pip install {FONT_PACKAGE}==1.0.0)."
    )
