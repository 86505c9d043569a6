"""Kill ``clean`` at chosen moments: ``python tests/kills.py DISTRICT`` is ready to clean, and kills a child each time.

A line of input is ``event N`` (at its N-th change of a file; 0: not at all) or ``seconds T``. The answer: by which
signal the child ended, how many changes of files it made, and how long it took.
"""

import contextlib
import os
import signal
import sys
import time

# What changes files: a run killed before, between or after any of these leaves what a kill can leave.
CHANGES = (
    "open",
    "os.mkdir",
    "os.rename",
    "os.remove",
    "os.rmdir",
    "os.symlink",
    "os.link",
    "os.truncate",
    "shutil.rmtree",
)


def clean(district, kill_at=0):
    """Clean, and die at the `kill_at`-th change of a file. Return how many there were."""
    from planlib.clean import clean_district

    count = 0

    def watch(event, arguments):
        nonlocal count
        is_change = event in CHANGES and (
            event != "open" or (isinstance(arguments[1], str) and arguments[1][:1] in "wax")
        )
        count += is_change
        if kill_at and count == kill_at and is_change:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    clean_district(district)
    return count


def child(district, kill_at, seconds, report):
    """Clean in a child, killed after `seconds` if they are given; return the signal it died of, or 0."""
    number = os.fork()
    if number == 0:
        with contextlib.redirect_stderr(open(os.devnull, "w")):  # noqa: PTH123
            os.write(report, f"{clean(district, kill_at)}\n".encode())
        os._exit(0)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(number, signal.SIGKILL)
    return os.WTERMSIG(os.waitpid(number, 0)[1])


def main(district):
    """Answer each line of input."""
    import planlib.clean.pipeline  # noqa: F401  (ready before the first child)

    for line in sys.stdin:
        kind, value = line.split()
        begins, (source, target) = time.monotonic(), os.pipe()
        ended = child(
            district, int(value) if kind == "event" else 0, float(value) if kind == "seconds" else None, target
        )
        os.close(target)
        with os.fdopen(source) as pipe:
            count = pipe.read().strip() or "0"
        print(ended, count, time.monotonic() - begins, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
