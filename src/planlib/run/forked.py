"""The other end of a warm process: whoever asked for it holds it like a process of its own (Linux)."""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

SOCKET = "PLANLIB_WARM"
CHANGED = "the code has changed"


class StaleError(Exception):
    """The code on disk is no longer the one the server has imported, or it has threads: it must not fork."""


class Forked:
    """A child of the server, with the part of Popen's face that Jupyter uses."""

    stdin = stdout = stderr = None

    def __init__(self, path: str, request: dict[str, Any]) -> None:
        self.returncode: int | None = None
        self.result: Any = None
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        self._lines = self._socket.makefile("r", encoding="utf-8")
        reply = json.loads(self._lines.readline() or "{}")
        if "pid" not in reply:
            self._close()
            raise StaleError(reply.get("refused", "the server is gone"))
        self.pid = reply["pid"]

    def poll(self) -> int | None:
        """Return the exit code if the child has ended, else None."""
        while self.returncode is None and select.select([self._socket], [], [], 0)[0]:
            self._read()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end of the child and return its exit code."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while self.poll() is None:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise subprocess.TimeoutExpired("forked", timeout or 0)
            select.select([self._socket], [], [], left)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal to the child and its group: the server does, who knows whether the number is still its own."""
        with contextlib.suppress(OSError):
            self._socket.sendall(f"{int(number)}\n".encode())

    def kill(self) -> None:
        """Kill the child."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask the child to end."""
        self.send_signal(signal.SIGTERM)

    def _read(self) -> None:
        message = json.loads(self._lines.readline() or '{"exit": -9}')
        self.result = message.get("result", self.result)
        if "exit" in message:
            self.returncode = message["exit"]
            self._close()

    def _close(self) -> None:
        self._lines.close()
        self._socket.close()


def use_warm_kernels() -> None:
    """Let this process start its kernels through the server, where it was itself forked by one."""
    path = os.environ.get(SOCKET)
    if not path:
        return
    from importlib.metadata import EntryPoint

    from jupyter_client.provisioning import KernelProvisionerFactory

    factory = KernelProvisionerFactory.instance()
    factory.provisioners["planlib-warm"] = EntryPoint("planlib-warm", f"{__name__}:provisioner", "")
    factory.default_provisioner_name = "planlib-warm"


def provisioner(**options: Any) -> Any:
    """Return Jupyter's local provisioner, but with kernels that are forked."""
    from jupyter_client.provisioning import LocalProvisioner

    class WarmProvisioner(LocalProvisioner):
        async def launch_kernel(self, cmd: list[str], **more: Any) -> Any:
            request = {
                "role": "kernel",
                "words": cmd[3:],
                "cwd": str(more.get("cwd") or Path.cwd()),
                "env": more["env"],
            }
            process = Forked(os.environ[SOCKET], request)
            self.process, self.pid, self.cwd = process, process.pid, more.get("cwd")  # type: ignore[assignment]
            return self.connection_info

        async def kill(self, restart: bool = False) -> None:
            await super().kill(restart)
            # whoever killed it looks only every tenth of a second
            with contextlib.suppress(subprocess.TimeoutExpired):
                if self.process:
                    self.process.wait(1)

    return WarmProvisioner(**options)
