"""Workbooks from strangers are read by a process of its own, whose memory and time are bounded.

The Excel reader reserves what a file declares: a text table said to hold 4 294 967 295 texts, or one cell in the
last corner of a sheet, ends the whole process before any check in Python. Here only the reader ends, and its file
is refused with a message.
"""

import atexit
import contextlib
import functools
import gc
import os
import pickle
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from planlib.clean.files import read
from planlib.clean.files.sheet import Sheet
from planlib.errors import DataError

MAX_MEMORY = 1 << 30
_SECONDS, _SECONDS_PER_MB = 10, 3
_LENGTH = struct.Struct(">Q")
_FAR = (
    "press Ctrl+End in each sheet, delete what stands far below or beside the table, and save it as .xlsx; "
    "if nothing stands there, copy the tables into a new workbook"
)
_BREAKS = f"a workbook that breaks the reader, or would fill more than 1 GiB of memory; {_FAR}"
# A bare package in place of planlib.clean, which imports pandas: the reader is up in an instant and stays small.
_START = """
import sys, types
sys.modules["planlib.clean"] = package = types.ModuleType("planlib.clean")
package.__path__ = sys.argv[1:]
from planlib.clean.files.confined import serve
serve()
"""
_one_at_a_time = threading.Lock()


def read_workbook(content: bytes) -> list[Sheet]:
    """Return the sheets of a file as `planlib.clean.files.read.read_workbook` does, whatever the file contains.

    Parameters
    ----------
    content : bytes
        The file as stored.

    Raises
    ------
    DataError
        If it is no readable workbook, or reading it takes more than `MAX_MEMORY`, or more processor time than
        10 seconds and 3 for each megabyte.
    """
    with _one_at_a_time:
        process = _asked(_reader(os.getpid()), content)
        found = _answered(process)
        if process.returncode is not None:
            _reader.cache_clear()
    if isinstance(found, DataError):
        raise found
    return found


def read_ahead(contents: Iterable[bytes]) -> Iterator[list[Sheet] | DataError]:
    """Yield the sheets of each file, or why it has none; the next one is read while the caller works on this one.

    Parameters
    ----------
    contents : iterable of bytes
        The files as stored, each asked for as late as that allows.
    """
    process: subprocess.Popen[bytes] | None = None
    try:
        for content in contents:
            # the reader listens only between two files, so what it has found is taken before it is asked again
            found = _answered(process) if process else None
            process = _asked(_started() if process is None or process.returncode is not None else process, content)
            if found is not None:
                yield found
        if process:
            yield _answered(process)
    finally:
        if process:
            process.kill()
            _stop(process)


def _asked(process: "subprocess.Popen[bytes]", content: bytes) -> "subprocess.Popen[bytes]":
    with contextlib.suppress(OSError):  # one that has ended says so when its answer is taken
        _send(process.stdin, content)
    return process


def _answered(process: "subprocess.Popen[bytes]") -> list[Sheet] | DataError:
    """Return what the reader answers to the last file; if it has ended, `returncode` is set."""
    try:
        found = _receive(process.stdout)
    except (OSError, EOFError):
        return DataError(_end_of(process))
    return DataError(found) if isinstance(found, str) else list(found)


def _end_of(process: "subprocess.Popen[bytes]") -> str:
    """Say why the reader ended; only its own limits and its own faults end it."""
    _stop(process)
    if process.returncode == -getattr(signal, "SIGXCPU", 0):
        return f"a workbook that takes too long to read; {_FAR}"
    return _BREAKS


@functools.lru_cache(maxsize=1)
def _reader(_parent: int) -> "subprocess.Popen[bytes]":
    """Start the process that reads; it ends with the one that asks, by the end of its input."""
    process = _started()
    atexit.register(_stop, process)
    return process


def _started() -> "subprocess.Popen[bytes]":
    words = [sys.executable, "-P", "-c", _START, str(Path(__file__).parents[1])]
    pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
    return subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=nowhere)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):
            pipe.close()  # type: ignore[union-attr]
    process.wait()


def _send(pipe: Any, content: bytes) -> None:
    pipe.write(_LENGTH.pack(len(content)))
    pipe.write(content)
    pipe.flush()


def _receive(pipe: Any) -> Any:
    return pickle.loads(_content(pipe))


def _content(pipe: BinaryIO) -> bytes:
    length = pipe.read(_LENGTH.size)
    if len(length) < _LENGTH.size:
        raise EOFError
    content = pipe.read(*_LENGTH.unpack(length))
    if len(content) < _LENGTH.unpack(length)[0]:
        raise EOFError
    return content


def _limit(kind: str, most: int) -> None:
    """Bound what this process may use; where the system knows no such bound (Windows), it has none."""
    with contextlib.suppress(ImportError, AttributeError, ValueError, OSError):
        import resource

        which = getattr(resource, kind)
        resource.setrlimit(which, (most, resource.getrlimit(which)[1]))


def serve() -> None:
    """Read workbooks from standard input until it ends, and answer each with its sheets or a message.

    The other end of `read_workbook`.
    """
    source, target = sys.stdin.buffer, sys.stdout.buffer
    _limit("RLIMIT_AS", MAX_MEMORY)
    _limit("RLIMIT_CORE", 0)
    gc.set_threshold(100_000)  # rows of cells hold no cycles: looking for them is a fifth of all time
    with contextlib.suppress(EOFError, KeyboardInterrupt, BrokenPipeError):
        while True:
            content = _content(source)
            _limit("RLIMIT_CPU", int(sum(os.times()[:2])) + _SECONDS + _SECONDS_PER_MB * (len(content) >> 20))
            _send(target, _answer(content))


def _answer(content: bytes) -> bytes:
    try:
        return pickle.dumps(read.read_workbook(content))
    except DataError as error:
        return pickle.dumps(str(error))
    except MemoryError:
        return pickle.dumps(_BREAKS)
