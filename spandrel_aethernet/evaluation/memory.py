"""How much memory this process has, and had at most."""

from __future__ import annotations

import importlib
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

_STATUS = Path("/proc/self/status")
_FORGET = Path("/proc/self/clear_refs")


class Memory(NamedTuple):
    """Resident bytes."""

    now: int
    """The most so far where the system tells nothing else."""
    peak: int


def memory() -> Memory | None:
    """Return this process's resident memory; None where the system does not tell.

    Linux's own account is read, because the peak that `getrusage` gives starts with the parent's
    (getrusage(2) keeps it over exec).
    """
    with suppress(OSError, ValueError, KeyError):
        found = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
        now, peak = (int(found[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))
        return Memory(now, peak)
    return _of_windows() if sys.platform == "win32" else _of_unix()


def forget_peak() -> None:
    """Let the peak begin anew where the system can (Linux); elsewhere it is that of all so far."""
    with suppress(OSError):
        _FORGET.write_text("5")  # proc_pid_clear_refs(5)


def _of_unix() -> Memory | None:
    try:
        resource: Any = importlib.import_module("resource")
    except ImportError:
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Memory(most, most)


def _of_windows() -> Memory | None:
    # What of ctypes is Windows' own, type checkers miss elsewhere.
    ctypes: Any = importlib.import_module("ctypes")
    size = ctypes.c_size_t

    class Counters(ctypes.Structure):
        """PROCESS_MEMORY_COUNTERS of psapi.h."""

        _fields_ = (
            ("cb", ctypes.c_ulong),
            ("page_faults", ctypes.c_ulong),
            ("peak_working_set", size),
            ("working_set", size),
            *((f"other_{number}", size) for number in range(6)),
        )

    counters: Any = Counters()
    counters.cb = ctypes.sizeof(counters)
    kernel = ctypes.WinDLL("kernel32")
    kernel.GetCurrentProcess.restype = ctypes.c_void_p
    process = ctypes.c_void_p(kernel.GetCurrentProcess())
    if not kernel.K32GetProcessMemoryInfo(process, ctypes.byref(counters), counters.cb):
        return None
    return Memory(int(counters.working_set), int(counters.peak_working_set))
