"""Hidden files and folders that lie beside a target until it is whole, and what killed runs leave of them.

A name tells the target, the host and the process it belongs to: `.aether-TARGET-HOST-PROCESS-RANDOM.png`,
target and host as digests, so that the length of neither counts.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import platform
import re
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

_NAME = re.compile(r"\.aether-[0-9a-f]{8}-[0-9a-f]{8}-(\d+)-[0-9a-f]{8}(\.[^/]*)?", re.DOTALL)


def partial_path(target: Path, suffix: str) -> Path:
    """Return a new hidden name beside `target` that ends in `suffix`; nothing is made."""
    return target.with_name(f"{_start(target)}{os.getpid()}-{secrets.token_hex(4)}{suffix}")


def is_partial(path: Path) -> bool:
    """Tell whether a path is named as `partial_path` does, for whatever target."""
    return _NAME.fullmatch(path.name) is not None


def abandoned(target: Path) -> Iterator[Path]:
    """Yield what processes of this host that are no more left of `target`.

    A process that took over the number of one that ended is taken for it, and what that left is kept.
    """
    start, names = _start(target), list[str]()
    with suppress(OSError):
        names = os.listdir(target.parent)  # noqa: PTH208  (Path.iterdir makes thousands of paths for nothing)
    for name in names:
        found = _NAME.fullmatch(name) if name.startswith(start) else None
        if found and not _is_running(int(found[1])):
            yield target.with_name(name)


def remove(path: Path) -> None:
    """Remove a file or a folder, or what of it can be removed."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def remove_abandoned(target: Path) -> None:
    """Remove what killed runs on this host left of `target`; what a living process writes stays."""
    for path in abandoned(target):
        remove(path)


def _start(target: Path) -> str:
    return f".aether-{_digest(target.name)}-{_host()}-"


@cache
def _host() -> str:
    """Return a digest of where process numbers mean the same: the host, and on Linux the container."""
    namespace = ""
    with suppress(OSError):
        namespace = os.readlink("/proc/self/ns/pid")  # noqa: PTH115  (no path: it leads nowhere)
    return _digest(f"{platform.node()} {namespace}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:8]


def _is_running(process: int) -> bool:
    """Tell whether there is such a process; True as well where that cannot be told."""
    if sys.platform == "win32":
        return _is_running_on_windows(process)
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # another user's
        pass
    return True


def _is_running_on_windows(process: int) -> bool:
    ctypes: Any = importlib.import_module(
        "ctypes"
    )  # what of it is Windows' own, type checkers miss elsewhere
    synchronize, no_such_process, still_running = 0x100000, 87, 258
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel.OpenProcess.restype = ctypes.c_void_p
    handle = ctypes.c_void_p(kernel.OpenProcess(synchronize, False, ctypes.c_ulong(process)))
    if not handle:
        return ctypes.get_last_error() != no_such_process
    try:
        return kernel.WaitForSingleObject(handle, 0) == still_running
    finally:
        kernel.CloseHandle(handle)
