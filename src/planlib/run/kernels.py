"""The server of warm processes: it has imported the scientific stack once and forks on request (Linux).

A kernel spends most of its start importing, and so does whoever drives it. A server imports everything, has no
thread, and forks a child for every request that comes over its socket: a kernel, or a report's whole run. A child
lives as long as the connection it was asked for over, so nobody who is killed leaves one behind.
"""

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from planlib import freshness, params, registry
from planlib.errors import KernelError
from planlib.paths import DEFINITIONS
from planlib.run.execute import ENVIRONMENT
from planlib.run.forked import CHANGED, Forked

PRELOAD = (
    "planlib.district", "planlib.figures", "planlib.narrative", "planlib.clean", "planlib.run.report",
    "planlib.run.document", "planlib.run.annex", "planlib.run.work", "papermill", "nbconvert", "ipykernel.kernelapp",
    "ipykernel.ipkernel", "ipykernel.debugger", "tornado.platform.asyncio", "matplotlib_inline.backend_inline",
    "matplotlib.pyplot", "IPython.core.completer", "pyarrow.dataset", "psutil",
)  # fmt: skip
START_SECONDS = 120


class Server:
    """The process that forks; it ends with this object's process, or with `close`."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="planlib-warm-")
        self.path = str(Path(self._folder.name) / "s")
        environment = {
            **os.environ,
            **ENVIRONMENT,
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
            "JE_ARROW_MALLOC_CONF": "background_thread:false",  # pyarrow's allocator, the only thread there would be
        }
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "planlib.run.kernels", self.path],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for whoever started it
        )

    def fork(self, role: str, request: dict[str, Any]) -> Forked:
        """Fork a child; wait for the server's imports if they are still going on."""
        deadline = time.monotonic() + START_SECONDS
        while not Path(self.path).exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise KernelError("The process that forks warm kernels did not start.\nTo do: use --cold.")
            time.sleep(0.01)
        return Forked(self.path, {"role": role, **request})

    def close(self) -> None:
        """End the server and every child it still has."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()


def threads() -> int:
    """Return how many threads this process has; after a fork only one of them would live on."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("Threads:")[2].split()[0])


def serve(path: str) -> None:
    """Import everything, then fork on request until standard input closes."""
    digest = freshness.code_digest()
    gc.disable()
    sys.modules["debugpy"] = None  # type: ignore[assignment]  # half of a kernel's start, and nobody debugs these
    for module in PRELOAD:
        importlib.import_module(module)
    _rehearse()
    gc.enable()
    gc.freeze()  # the children's collections do not touch, and so not copy, what is shared
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{path}.new")
    listener.listen(64)
    Path(f"{path}.new").rename(path)  # whoever sees the name may connect
    _Loop(listener, digest).run()
    os._exit(0)  # to take down what was imported would keep whoever waits for the end


def _rehearse() -> None:
    """Do once what every child would do anew: read definitions, fonts and the forecast table, fill a page's template."""
    import nbformat

    from planlib.run import page

    for path in DEFINITIONS.rglob("*.yml"):
        registry.load_definitions(path.relative_to(DEFINITIONS).with_suffix("").as_posix())
    registry.phrase("-", "zh")
    sys.modules["planlib.forecast.table"].shipped()
    sys.modules["planlib.figures.picture"].no_data("fan_chart", "zh")
    page.body(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# -\n\n- *-*")]), "zh")


def _read_ahead(request: dict[str, Any]) -> None:
    """Read the plan that a report and its kernel will both ask for; it is remembered for the same text only."""
    with contextlib.suppress(Exception):  # the report says what is wrong
        district = request["request"]["parameters"]["district"]
        params.period_of(district)
        registry.load_plan(district)


class _Loop:
    """The server's only loop: new requests, words from those who asked, ends of children."""

    def __init__(self, listener: socket.socket, digest: str) -> None:
        self.listener, self.digest = listener, digest
        self.selector = selectors.DefaultSelector()
        self.children: dict[socket.socket, tuple[int, int, str]] = {}

    def run(self) -> None:
        self.selector.register(self.listener, selectors.EVENT_READ, self.accept)
        self.selector.register(0, selectors.EVENT_READ, None)
        while True:
            for key, _ in self.selector.select():
                if key.data is None:
                    return self.end()
                key.data(key.fileobj)

    def end(self) -> None:
        """Stop every child; give reports the time to clear their staging away."""
        deadline = time.monotonic() + 10
        for pid, _, role in self.children.values():
            _signal(pid, signal.SIGTERM if role == "report" else signal.SIGKILL)
        while self.children and time.monotonic() < deadline:
            for key, _ in self.selector.select(0.1):
                if key.fileobj not in (0, self.listener):
                    key.data(key.fileobj)
        for pid, _, _ in self.children.values():
            _signal(pid, signal.SIGKILL)

    def accept(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        request = {}
        with contextlib.suppress(ValueError, OSError):  # who asked may be killed in the middle of the word
            request = json.loads(connection.makefile("r", encoding="utf-8").readline())
        _read_ahead(request)
        refused = self.refusal(request.get("role", ""))
        if refused or not request:
            with contextlib.suppress(OSError):
                connection.sendall(json.dumps({"refused": refused}).encode() + b"\n")
            connection.close()
            return
        pid = os.fork()
        if pid == 0:
            self.become(request, connection)
        self.adopt(pid, connection, request["role"])

    def refusal(self, role: str) -> str:
        """Say why not to fork; the kernel of a report that runs already has the same code as the report."""
        if role == "report" and freshness.code_digest() != self.digest:
            return CHANGED
        return "a thread runs in the server" if threads() > 1 else ""

    def adopt(self, pid: int, connection: socket.socket, role: str) -> None:
        ended = os.pidfd_open(pid)
        self.children[connection] = (pid, ended, role)
        self.selector.register(connection, selectors.EVENT_READ, self.listen)
        self.selector.register(ended, selectors.EVENT_READ, lambda _: self.bury(connection))
        with contextlib.suppress(OSError):
            connection.sendall(json.dumps({"pid": pid}).encode() + b"\n")

    def listen(self, connection: socket.socket) -> None:
        """Pass signals on; a closed connection means that nobody waits for the child any more."""
        if connection not in self.children:  # the child's end came in the same breath, and was dealt with first
            return
        pid, _, role = self.children[connection]
        try:
            words = connection.recv(1024).split()
        except OSError:
            words = []
        for word in words:
            _signal(pid, int(word))
        if not words:
            self.selector.unregister(connection)
            _signal(pid, signal.SIGTERM if role == "report" else signal.SIGKILL)

    def bury(self, connection: socket.socket) -> None:
        pid, ended, _ = self.children.pop(connection)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        self.selector.unregister(ended)
        os.close(ended)
        with contextlib.suppress(KeyError):
            self.selector.unregister(connection)
        with contextlib.suppress(OSError):
            connection.sendall(json.dumps({"exit": code}).encode() + b"\n")
        connection.close()

    def become(self, request: dict[str, Any], connection: socket.socket) -> None:
        """Be the child: what belongs to the server is closed, then the work is done, and nothing returns."""
        code = 1
        try:
            os.setsid()
            self.selector.close()
            self.listener.close()
            for other, (_, ended, _) in self.children.items():
                other.close()
                os.close(ended)
            quiet = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(quiet, stream)
            open_files_anew()
            os.environ.clear()
            os.environ.update(request["env"])
            time.tzset()
            os.chdir(request["cwd"])
            code = _work(request, connection)
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
        finally:
            os._exit(code)


def open_files_anew() -> None:
    """Open every file of this forked process again, at the same place.

    After a fork parent and children share the place in each open file: two that read a font at once would move it
    under each other, and draw wrong glyphs or find none.
    """
    import fcntl  # only where there is a fork

    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - numbers, not paths
        shared = int(name)
        with contextlib.suppress(OSError):  # the listing's own, closed by now
            if stat.S_ISREG(os.fstat(shared).st_mode):
                own = os.open(f"/proc/self/fd/{name}", fcntl.fcntl(shared, fcntl.F_GETFL) & os.O_ACCMODE)
                os.lseek(own, os.lseek(shared, 0, os.SEEK_CUR), os.SEEK_SET)
                os.dup2(own, shared, inheritable=os.get_inheritable(shared))
                os.close(own)


def _work(request: dict[str, Any], connection: socket.socket) -> int:
    if request["role"] == "kernel":
        connection.detach()  # stays open for the server's sake alone
        from ipykernel.kernelapp import IPKernelApp

        IPKernelApp.launch_instance(argv=request["words"])
        return 0
    from planlib.run.work import work

    result = work(request["request"])
    connection.sendall(json.dumps({"result": result}).encode() + b"\n")
    return 0


def _signal(pid: int, number: int) -> None:
    """Signal a child that is not yet reaped, and its group once it has made one."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


if __name__ == "__main__":
    serve(sys.argv[1])
