"""Files that are whole or absent: hashes, atomic writes, sets swapped in together, locks without leftovers."""

import contextlib
import hashlib
import json
import os
import shutil
import sys
import time
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from planlib.errors import DataError


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content as 64 hex digits.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a"
    >>> _ = path.write_bytes(b"abc")
    >>> sha256(path)[:8]
    'ba7816bf'
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of(value: Any) -> str:
    """Return the SHA-256 of a JSON-like value, the same for every order of keys.

    Examples
    --------
    >>> sha256_of({"a": 1, "b": 2}) == sha256_of({"b": 2, "a": 1})
    True
    """
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_of_files(paths: Iterable[Path], base: Path) -> str:
    """Return one digest of many files: names relative to `base` and contents, whatever the order given."""
    return sha256_of({path.relative_to(base).as_posix(): sha256(path) for path in sorted(paths)})


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write a file so that a reader sees the old content or the new, never a part.

    Parameters
    ----------
    path : Path
        Its folder is made if absent.
    content : bytes or str
        Text is written as UTF-8.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.parent / f".{path.name}.{uuid.uuid4().hex[:8]}"
    try:
        with staged.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write `value` atomically as readable JSON with sorted keys."""
    write_atomic(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Return the JSON in `path`, or None if the file is absent or not readable as JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


@contextlib.contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[None]:
    """Hold an exclusive lock on `path` while the block runs; wait for whoever holds it.

    The operating system drops the lock with the process, so a killed run leaves nothing a person must remove.

    Parameters
    ----------
    path : Path
        Its folder is made if absent; the file stays and means nothing by itself.
    wait : bool
        False: raise at once if somebody holds it.

    Raises
    ------
    BlockingIOError
        If somebody holds it and `wait` is False.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        deadline, told = time.monotonic() + 1, False
        while not _lock(file):
            if not wait:
                raise BlockingIOError(f"{path} is held by another run")
            if not told and time.monotonic() > deadline:
                told = True
                print(f"waiting for another run that holds {path.name} …", file=sys.stderr)
            time.sleep(0.02)
        yield


def _lock(file: Any) -> bool:
    """Try once to lock an open file."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # Windows says PermissionError
        return False
    return True


@contextlib.contextmanager
def staged_set(target: Path) -> Iterator[Path]:
    """Yield an empty staging folder that replaces the folder `target` as one when the block ends well.

    `target` is a symbolic link to a folder in ``.sets`` beside it; swapping the link is one rename, so readers
    see the previous set whole or the new set whole. If the block raises, or the process is killed, `target`
    stays as it was. One previous set is kept for readers that still hold it open.

    Parameters
    ----------
    target : Path
        The folder as people name it, for example ``data/processed/shangcheng``.

    Raises
    ------
    DataError
        If the disk is full or the folder cannot be written: says which folder.
    """
    sets = target.parent / ".sets"
    try:
        sets.mkdir(parents=True, exist_ok=True)
        with locked(sets / f"{target.name}.lock"):
            _remove_old_sets(sets, target)
            staging = sets / f"{target.name}.{uuid.uuid4().hex[:12]}"
            staging.mkdir()
            try:
                yield staging
                _flush(staging)
                _swap_in(staging, target)
            except BaseException:
                shutil.rmtree(staging, ignore_errors=True)
                raise
    except OSError as error:
        raise DataError(
            f"Could not write {target}: {error.strerror or error}.\n"
            "The previous tables are untouched. To do: free disk space or give write permission, then run again."
        ) from error


def _flush(folder: Path) -> None:
    """Have the disk hold every file before the set is shown: a full disk may say so no earlier than here."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            with path.open("rb+") as file:
                os.fsync(file.fileno())


def _remove_old_sets(sets: Path, target: Path) -> None:
    """Remove all sets of `target` but the one in use: what a killed run left behind, and the one before."""
    current = target.resolve().name if target.is_symlink() else ""
    for folder in sets.glob(f"{target.name}.*"):
        if folder.is_dir() and not folder.is_symlink() and folder.name != current:
            shutil.rmtree(folder, ignore_errors=True)


def _swap_in(staging: Path, target: Path) -> None:
    """Point `target` at `staging`; where links are not allowed (Windows), rename the folder instead."""
    link = staging.parent / f"{target.name}.link"
    link.unlink(missing_ok=True)
    try:
        link.symlink_to(Path(staging.parent.name) / staging.name, target_is_directory=True)
    except (OSError, NotImplementedError):
        if target.exists():
            target.rename(staging.with_name(f"{staging.name}.previous"))
        staging.rename(target)
        return
    if target.is_dir() and not target.is_symlink():
        target.rename(staging.with_name(f"{staging.name}.previous"))
    # The link stands in .sets but must resolve from target's folder: it is relative to that.
    os.replace(link, target)  # noqa: PTH105  (Path.replace follows nothing either; os.replace says it is atomic)
