"""Commands to print, as they can be typed."""

from __future__ import annotations

import shlex
import subprocess
import sys


def command_line(*words: object) -> str:
    """Return one command for this system's shell, with quotes around words that need them."""
    texts = [str(word) for word in words]
    return subprocess.list2cmdline(texts) if sys.platform == "win32" else shlex.join(texts)
