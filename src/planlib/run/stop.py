"""Being stopped in good order: SIGTERM, Ctrl-C, and the limit of a whole run."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

from planlib.errors import Interrupted, KernelError, PlanlibError


class Stopped(KeyboardInterrupt):
    """A signal came; only a KeyboardInterrupt passes through an event loop at once."""


@contextlib.contextmanager
def stoppable(what: str, seconds: int = 0) -> Iterator[None]:
    """Turn SIGTERM, Ctrl-C and the end of the run's time into one exception, so that everything is cleared away.

    Only the main thread receives signals; elsewhere (and on Windows for the time limit) the cells' own limits hold.

    Parameters
    ----------
    what : str
        What runs, for the message.
    seconds : int
        Longest time; 0 for none.

    Raises
    ------
    Interrupted, KernelError
        When the block is stopped; inside the block it is `Stopped`.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGALRM") if hasattr(signal, name)]
    # nohup and a shell's background jobs ignore Ctrl-C, and so shall we
    before = {n: signal.getsignal(n) for n in numbers if signal.getsignal(n) is not signal.SIG_IGN}

    def stop(number: int, _frame: Any) -> None:
        for other in before:  # a second one must not break off the clearing
            signal.signal(other, signal.SIG_IGN)
        raise Stopped(number)

    try:
        for number in before:
            signal.signal(number, stop)
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, seconds)
        yield
    except Stopped as stopped:
        raise explained(stopped, what, seconds) from None
    finally:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def explained(error: BaseException, what: str, seconds: int) -> BaseException:
    """Return our own error for a `Stopped`; any other error as it is."""
    if not isinstance(error, Stopped):
        return error
    at, number = getattr(error, "at", None), error.args[0]
    where = f'{at["notebook"]}, cell {at["cell"]} "{at["heading"]}"' if at else what
    named: PlanlibError
    if number in (signal.SIGTERM, signal.SIGINT):
        by = "SIGTERM" if number == signal.SIGTERM else "Ctrl-C"
        named = Interrupted(f"{where}: stopped by {by}; nothing was published.\nTo do: run it again.", number)
    else:
        named = KernelError(
            f"{where}: the whole run took longer than {seconds} s and was stopped.\n"
            "To do: run the notebook by hand in JupyterLab to see where it hangs, or raise run_seconds."
        )
    named.at = at
    return named
