"""The processes of this machine that make reports: warm ones where they can be forked, else new ones."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Protocol

from planlib.run.forked import CHANGED, SOCKET, StaleError
from planlib.run.kernels import Server


class Worker(Protocol):
    """A process that makes one report: the part of Popen's face that is used, and what came of the report."""

    result: Any

    def poll(self) -> int | None:
        """Return the exit code if it has ended, else None."""

    def terminate(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """Kill it."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return its exit code."""


class Pool:
    """Processes that make reports: forked ones where there is a server for them, else new ones."""

    def __init__(self, cold: bool) -> None:
        self.servers = [] if cold else [Server()]

    def start(self, request: dict[str, Any]) -> Worker:
        """Start the run of one report."""
        if not self.servers:
            return _Cold(request)
        server = self.servers[-1]
        child = {"request": request, "cwd": str(Path.cwd()), "env": {**os.environ, SOCKET: server.path}}
        try:
            return server.fork("report", child)
        except (StaleError, OSError) as error:
            # the code has changed: those at work end with what they began with, the next begin with the new
            if str(error) == CHANGED:
                self.servers.append(Server())
                return self.servers[-1].fork(
                    "report", child | {"env": {**os.environ, SOCKET: self.servers[-1].path}}
                )
            print(f"no warm kernel for this run, it starts cold: {error}", file=sys.stderr)
            return _Cold(request)

    def close(self) -> None:
        """End the servers and whatever they still have at work."""
        for server in self.servers:
            server.close()


class _Cold:
    """A run in a process of its own that imports everything again."""

    def __init__(self, request: dict[str, Any]) -> None:
        self.result: Any = None
        self._process = subprocess.Popen(
            [sys.executable, "-m", "planlib.run.work", json.dumps(request)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def poll(self) -> int | None:
        code = self._process.poll()
        if code is not None and self._process.stdout and not self._process.stdout.closed:
            lines = self._process.communicate()[0].splitlines()
            self.result = json.loads(lines[-1]) if lines else None
        return code

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()

    def wait(self, timeout: float | None = None) -> int:
        code = self._process.wait(timeout)
        self.poll()
        return code
