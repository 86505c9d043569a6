"""Make the environment `.venv` from requirements.lock, or find that it is there already.

Standard library only, so that a bare Python runs it. The content of the lock decides, never a modification time.
"""

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "planlib-lock.sha256"


def main() -> int:
    """Install the locked packages with hashes, then planlib itself in place."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        found = ".".join(map(str, sys.version_info[:2]))
        print(f"Python {found} found; planlib needs 3.11, 3.12 or 3.13.", file=sys.stderr)
        print("To do: name one of them, for example: make PYTHON=python3.12 report", file=sys.stderr)
        return 2
    sources = (ROOT / "requirements.lock", ROOT / "pyproject.toml")
    wanted = hashlib.sha256(b"".join(f.read_bytes() for f in sources) + str(ROOT).encode()).hexdigest()
    if STAMP.is_file() and STAMP.read_text() == wanted and PYTHON.exists():
        return 0
    print("Making the environment in .venv (once, about a minute) …", file=sys.stderr, flush=True)
    venv.create(VENV, with_pip=True, clear=True)
    try:
        _install(_installer())
    except subprocess.CalledProcessError as error:
        print(f"Installing failed (exit {error.returncode}); see the lines above.", file=sys.stderr)
        print("To do: check the network and free disk space, then run the same command again.", file=sys.stderr)
        return 1
    STAMP.write_text(wanted)
    return 0


def _installer() -> list[str]:
    """Return uv's command where it can be had (five times faster), else pip's: the same lock serves both."""
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if subprocess.run([*pip, "uv"], check=False, capture_output=True).returncode == 0:
        return [
            str(PYTHON),
            "-m",
            "uv",
            "pip",
            "install",
            "--quiet",
            "--compile-bytecode",
            "--python",
            str(PYTHON),
        ]
    return pip


def _install(install: list[str]) -> None:
    subprocess.run([*install, "--require-hashes", "-r", str(ROOT / "requirements.lock")], check=True)
    subprocess.run([*install, "--no-deps", "--no-build-isolation", "-e", str(ROOT)], check=True)


if __name__ == "__main__":
    sys.exit(main())
