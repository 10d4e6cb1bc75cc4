"""What TensorRT for RTX does with ONNX graphs: refused or built, and which layers run on int8.

`verdicts.json` holds what one version of it did with every graph of `cases`, so that tests need not build
them. To measure again and write that file (a minute, no GPU):

    python -m tests.lint.rtx
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from onnx import ModelProto

from .cases import EVERY

FILE = Path(__file__).with_name("verdicts.json")
COMMAND = "python -m tests.lint.rtx"

_LAYER = re.compile(
    r"^Name: (?P<name>\S+), LayerType: (?P<type>\w+), Inputs: (?P<inputs>.*?), Constants:", re.M
)
_INTEGER_LAYERS = ("correlation", "gemm")
_SIDES = (32, 64, 128)


@dataclass(frozen=True)
class Verdict:
    """What became of one graph."""

    built: bool
    said: str
    """The first error, if it was refused."""
    int8_products: int = 0
    """How many Conv, MatMul and Gemm of the file run on int8."""


@dataclass(frozen=True)
class Verdicts:
    """What one version of TensorRT for RTX did with every graph, by name."""

    version: str
    graphs: Mapping[str, str]
    """SHA-256 of each graph that it was given."""
    verdicts: Mapping[str, Verdict]


def installed_version() -> str | None:
    """Return the version of TensorRT for RTX that is installed here."""
    try:
        return version("tensorrt_rtx_cu13")
    except PackageNotFoundError:
        return None


def digest(model: ModelProto) -> str:
    """Return the SHA-256 of a graph."""
    return hashlib.sha256(model.SerializeToString(deterministic=True)).hexdigest()


def committed() -> Verdicts:
    """Read `verdicts.json`."""
    document: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    verdicts = {name: Verdict(**entry) for name, entry in document.pop("verdicts").items()}
    return Verdicts(**document, verdicts=verdicts)


def measure(graphs: Mapping[str, Callable[[], ModelProto]]) -> Mapping[str, Verdict]:
    """Give every graph to the parser and the builder, for GPUs of SM 8.6; none is needed here."""
    with TemporaryDirectory() as folder:
        files = {name: Path(folder) / f"{number}.onnx" for number, name in enumerate(graphs)}
        for name, file in files.items():
            file.write_bytes(graphs[name]().SerializeToString())
        found = _verdicts(list(files.values()))
    return {name: found[file] for name, file in files.items()}


def _verdicts(files: Sequence[Path]) -> Mapping[Path, Verdict]:
    """Judge files in child processes, because the parser crashes on some."""
    found: dict[Path, Verdict] = {}
    while len(found) < len(files):
        todo = [str(file) for file in files if file not in found]
        command = [sys.executable, "-m", "tests.lint.rtx", *todo]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        lines = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
        found |= {Path(line.pop("file")): Verdict(**line) for line in lines}
        if len(lines) < len(todo):
            found[Path(todo[len(lines)])] = Verdict(False, f"crashed ({result.returncode})")
    return found


def _write() -> None:
    installed = installed_version()
    if installed is None:
        sys.exit("TensorRT for RTX is not installed here")
    graphs = {name: digest(make()) for name, make in EVERY.items()}
    document = asdict(Verdicts(installed, graphs, measure(EVERY)))
    FILE.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _judge_all(files: Sequence[str]) -> None:
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
    entry = network.get_input(0)
    profile.set_shape(entry.name, *((1, entry.shape[1], side, side) for side in _SIDES))
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
    _judge_all(sys.argv[1:]) if sys.argv[1:] else _write()
