"""Another Python process that imports what this one imports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import IO


def import_paths() -> list[str]:
    """Return where this process finds modules, and this package, however it was found itself."""
    return [*sys.path, str(Path(__file__).parents[1])]


def start_python(code: str, stderr: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start an isolated interpreter on some code, with pipes to its stdin and from its stdout.

    It takes nothing from the environment or the current folder: `import_paths` must be sent to it.
    """
    return subprocess.Popen(
        [sys.executable, "-I", "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        # A terminal sends Ctrl-C to every process of its group, and only this one is to answer it.
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
