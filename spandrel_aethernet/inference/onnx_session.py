"""Opening an ONNX file in ONNX Runtime: the provider, and why a file is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch

from ..errors import ArgumentError, Hint, OnnxError, missing_extras
from .onnx_network import checked

_CPU = "CPUExecutionProvider"
_CUDA = "CUDAExecutionProvider"
_FATAL = 4
"""ONNX Runtime's log level that leaves errors to the exception that is raised too."""

_LONGEST = 1000
"""How much of what ONNX Runtime says is read."""
_SOURCE_PLACE = re.compile(r"\S+\.(?:cc|h|cu):\d+ (?:[\w:<>&*~ ]*\w\([^)]*\)(?: const)? |\w+ )?")
"""Such as `/src/graph.cc:12 void onnxruntime::Graph::Load(int) `."""


def open_session(path: Path, provider: str = "auto") -> Any:
    """Return an `onnxruntime.InferenceSession` for a file and the data it keeps beside itself.

    `provider` is `auto` (CUDA where it works, else CPU), `cpu`, `cuda`, `dml`, `coreml` … or the exact
    name of a provider. Raises `OnnxError` for a file that cannot be read or loaded, `ArgumentError` for a
    provider that is not there, and `MissingPackageError` if ONNX or ONNX Runtime is not installed.
    """
    with missing_extras():
        import onnxruntime
    library: Any = onnxruntime
    providers = choose_providers(provider, library.get_available_providers())
    content = checked(path)
    options = library.SessionOptions()
    # As many as PyTorch's, which callers can set: how many share an operator may change its last bits.
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = _FATAL
    # Planning memory ahead for one size keeps a second copy of it for all others: twice the peak.
    options.enable_mem_pattern = False
    # Its threads would otherwise go on spinning after a tile and take the cores from what runs next.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    # Or bytes that could also be of ONNX Runtime's own format, which nothing here checks, are read as that.
    options.add_session_config_entry("session.load_model_format", "ONNX")

    def load(names: list[str]) -> Any:
        # Falling back by itself, the library prints to stdout.
        return library.InferenceSession(content, options, providers=names, enable_fallback=0)

    try:
        try:
            session = load(providers)
        except Exception:
            if provider != "auto" or providers == [_CPU]:
                raise
            session = load([_CPU])
    except Exception as error:  # its errors share no other base
        name = f"ONNX Runtime {library.__version__}"
        raise OnnxError(f"{path} cannot be loaded by {name}: {reason(error)}") from error
    if provider != "auto" and session.get_providers()[0] != providers[0]:
        hint = Hint("try {provider}", provider="cpu")
        raise ArgumentError(f"provider {provider} cannot be used here (its libraries do not load)", hint)
    return session


def runs_on_cpu(provider: str) -> bool:
    """Tell whether a provider, as `open_session` takes it, is the CPU's; raises errors as that does."""
    with missing_extras():
        import onnxruntime
    library: Any = onnxruntime
    return choose_providers(provider, library.get_available_providers())[0] == _CPU


def choose_providers(name: str, available: list[str]) -> list[str]:
    """Turn `auto`, a short or an exact provider name into names for ONNX Runtime, the CPU's last.

    Raises `ArgumentError` if it is not one of those `available`.
    """
    if name == "auto":
        return [_CUDA, _CPU] if _CUDA in available else [_CPU]
    for candidate in available:
        if name.lower() in (candidate.lower(), candidate.lower().removesuffix("executionprovider")):
            return list(dict.fromkeys([candidate, _CPU]))
    raise ArgumentError(f"provider {name} is not in this ONNX Runtime: it has {', '.join(available)}")


def reason(error: Exception) -> str:
    """Return the first line of what ONNX Runtime says, without error codes and places in its source."""
    lines = str(error).strip().splitlines() or ["no reason given"]
    # Names in it can be of any length, and the search below takes the square of that.
    text = re.sub(r"^.*\[ONNXRuntimeError\] : \d+ : \w+ : ", "", lines[0][:_LONGEST])
    text = re.sub(r"^Load model from .* failed:", "", text)
    return _SOURCE_PLACE.sub("", text).strip().rstrip(".")
