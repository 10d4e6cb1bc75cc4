"""What TensorRT for RTX makes of ONNX files: refused or built, and which layers run on int8.

Run as a program, because its parser crashes the process on some graphs.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_LAYER = re.compile(
    r"^Name: (?P<name>\S+), LayerType: (?P<type>\w+), Inputs: (?P<inputs>.*?), Constants:", re.M
)
_INTEGER_LAYERS = ("correlation", "gemm")
_SIDES = (32, 64, 128)


@dataclass(frozen=True)
class Verdict:
    """What became of one file."""

    built: bool
    said: str
    """The first error, if it was refused."""
    int8_products: int = 0
    """How many Conv, MatMul and Gemm of the file run on int8."""


def verdicts(files: Sequence[Path]) -> Mapping[Path, Verdict]:
    """Give every file to the parser and the builder, for GPUs of SM 8.6; none is needed here."""
    found: dict[Path, Verdict] = {}
    while len(found) < len(files):
        todo = [str(file) for file in files if file not in found]
        command = [sys.executable, "-m", __name__, *todo]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        lines = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
        found |= {Path(line.pop("file")): Verdict(**line) for line in lines}
        if len(lines) < len(todo):
            found[Path(todo[len(lines)])] = Verdict(
                False, f"crashed ({result.returncode}): {result.stderr[-500:]}"
            )
    return found


def _main(files: Sequence[str]) -> None:
    for file in files:
        print(json.dumps({"file": file, **_judge(Path(file).read_bytes())}), flush=True)  # noqa: T201


def _judge(content: bytes) -> dict[str, Any]:
    import tensorrt_rtx

    rtx: Any = tensorrt_rtx  # it has no stubs
    lines: list[tuple[bool, str]] = []

    def log(_self: Any, severity: Any, message: str) -> None:
        lines.append((severity <= rtx.ILogger.Severity.ERROR, message))

    logger = type("Logger", (rtx.ILogger,), {"log": log})()
    builder = rtx.Builder(logger)
    network = builder.create_network(1 << int(rtx.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    built = rtx.OnnxParser(network, logger).parse(content) and bool(
        builder.build_serialized_network(network, _config(rtx, builder, network))
    )
    said = next((message for is_error, message in lines if is_error), "")
    listed = "\n".join(message for _, message in lines).partition("Layers:\n")[2]
    return {"built": built, "said": "" if built else said, "int8_products": _int8_products(listed)}


def _config(rtx: Any, builder: Any, network: Any) -> Any:
    config = builder.create_builder_config()
    config.num_compute_capabilities = 1
    config.set_compute_capability(rtx.ComputeCapability.SM86, 0)
    config.profiling_verbosity = rtx.ProfilingVerbosity.DETAILED
    profile = builder.create_optimization_profile()
    given = network.get_input(0)
    profile.set_shape(given.name, *((1, given.shape[1], side, side) for side in _SIDES))
    config.add_optimization_profile(profile)
    return config


def _int8_products(listed: str) -> int:
    """Count in the list of layers that the builder logs; merged products have their names joined by `+`."""
    count = 0
    for layer in _LAYER.finditer(listed):
        types = set(re.findall(r"Datatype: (\w+)", layer["inputs"]))
        if layer["type"] in _INTEGER_LAYERS and types == {"Int8"}:
            count += layer["name"].count("+") + 1
    return count


if __name__ == "__main__":
    _main(sys.argv[1:])
