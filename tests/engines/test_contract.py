"""The names that are used of TensorRT are in every TensorRT: none can vanish unnoticed."""

from __future__ import annotations

import ast
import importlib.metadata
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import spandrel_aethernet.engines

PACKAGE = Path(spandrel_aethernet.engines.__file__).parent
BACKEND = PACKAGE.parent / "inference" / "tensorrt"
OBJECTS = {
    "builder": "Builder",
    "cache": "ITimingCache",
    "config": "IBuilderConfig",
    "context": "IExecutionContext",
    "deserializer": "Runtime",
    "engine": "ICudaEngine",
    "fault": "ParserError",
    "module": "",
    "network": "INetworkDefinition",
    "parser": "OnnxParser",
    "profile": "IOptimizationProfile",
}
"""What variables and attributes of these names hold; the empty name is the module itself."""
HOLDERS = {"self", "loaded"}
"""What holds one of `OBJECTS` under its name."""
RTX_ONLY = {
    "ComputeCapability",
    "EngineInvalidityDiagnostics",
    "EngineValidity",
    "EngineValidity.INVALID",
    "IBuilderConfig.num_compute_capabilities",
    "IBuilderConfig.set_compute_capability",
    "Runtime.get_engine_validity",
}
REMOVED_IN_11 = {
    *("FP16", "INT8", "FP8", "BF16", "INT4", "FP4", "DIRECT_IO", "EXPLICIT_BATCH"),
    *("OBEY_PRECISION_CONSTRAINTS", "PREFER_PRECISION_CONSTRAINTS"),
    *("int8_calibrator", "set_calibration_profile", "get_calibration_profile", "quantization_flags"),
    *("set_quantization_flag", "get_quantization_flag", "clear_quantization_flag", "algorithm_selector"),
    *("IInt8Calibrator", "IInt8EntropyCalibrator", "IInt8EntropyCalibrator2", "IInt8MinMaxCalibrator"),
    *("IAlgorithmSelector", "platform_has_fast_fp16", "platform_has_fast_int8", "platform_has_tf32"),
    *("device_memory_size", "dynamic_range", "set_dynamic_range", "precision_is_set", "set_output_type"),
}
"""From docs.nvidia.com/deeplearning/tensorrt, api/migration/tensorrt-10x-to-11x-python-api-reference."""


STUBS = ("tensorrt_bindings/tensorrt.pyi", "tensorrt/__init__.pyi")


def sources() -> list[Path]:
    built = [PACKAGE / name for name in ("runtime.py", "worker.py", "timing_cache.py")]
    return [*built, *(BACKEND / name for name in ("load.py", "session.py"))]


def chain(node: ast.expr) -> list[str]:
    """Return `a.b.c` as names, from any variable on."""
    if isinstance(node, ast.Attribute):
        parts = chain(node.value)
        return [*parts, node.attr] if parts else []
    return [node.id] if isinstance(node, ast.Name) else []


def used() -> dict[str, str]:
    """Return the dotted names taken from TensorRT, each with where."""
    found: dict[str, str] = {}
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute):
                names = chain(node)
                if "module" in names[:-1]:  # of whatever it is an attribute
                    names = names[names.index("module") :]
                while len(names) > 1 and names[0] in HOLDERS:
                    names = [names[1].removeprefix("_"), *names[2:]]
                if len(names) > 1 and names[0] in (*OBJECTS, "trt"):
                    owner = OBJECTS.get(names[0], "")
                    found[".".join([owner] * bool(owner) + names[1:])] = f"{path.name}:{node.lineno}"
            elif isinstance(node, ast.Call) and chain(node.func) == ["getattr"]:
                name = node.args[1]
                if isinstance(name, ast.Constant):  # load.py takes one from a table, too
                    found[str(name.value)] = f"{path.name}:{node.lineno}"
    return found


def test_the_names_are_found() -> None:
    assert {
        "NetworkDefinitionCreationFlag.STRONGLY_TYPED",
        "ProfilingVerbosity.DETAILED",
        "ComputeCapability",
        "Builder.build_serialized_network",
        "IBuilderConfig.progress_monitor",
        "IBuilderConfig.set_timing_cache",
        "ILogger.Severity.WARNING",
        "ITimingCache.combine",
        "OnnxParser.parse",
        "ParserError.node_name",
        "ICudaEngine.create_engine_inspector",
        "IProgressMonitor",
        "Runtime.deserialize_cuda_engine",
        "Runtime.get_engine_validity",
        "ICudaEngine.get_tensor_profile_shape",
        "ExecutionContextAllocationStrategy.USER_MANAGED",
        "IExecutionContext.set_device_memory",
    } <= set(used())


def test_tensorrt_for_rtx_has_them() -> None:
    rtx: Any = pytest.importorskip("tensorrt_rtx")
    for name, place in used().items():
        here = rtx
        for part in name.split("."):
            assert hasattr(here, part), f"{place}: {name}"
            here = getattr(here, part)


def members(stubs: str) -> Mapping[str, set[str]]:
    """Return each class of a stub file with the names it declares, a nested one under its full name.

    Line by line: Python's own parser refuses the stubs, for a default in front of a parameter without.
    """
    found: dict[str, set[str]] = {}
    owners: list[str] = []
    for line in stubs.splitlines():
        if match := re.match(r"((?:    )*)(?:(class|def) )?(\w+)[(:]", line):
            del owners[len(match[1]) // 4 :]
            found.setdefault(".".join(owners), set()).add(match[3])
            if match[2]:
                owners.append(match[3])
    return found


def test_classic_tensorrt_has_them() -> None:
    try:
        stubs = importlib.metadata.distribution("tensorrt-stubs")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("tensorrt-stubs is not installed")
    files = [Path(str(stubs.locate_file(name))) for name in STUBS]
    declared, package = (members(file.read_text(encoding="utf-8")) for file in files)
    declared[""].update(package[""])
    for name, place in used().items():
        if name not in RTX_ONLY:
            owner, _, last = name.rpartition(".")
            assert last in declared[owner], f"{place}: {name}"


def test_nothing_is_used_that_tensorrt_11_removed() -> None:
    for path in (*PACKAGE.glob("*.py"), *BACKEND.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute):
                assert node.attr not in REMOVED_IN_11, f"{path.name}:{node.lineno}"
    assert not {part for name in used() for part in name.split(".")} & REMOVED_IN_11


def test_only_these_modules_touch_tensorrt() -> None:
    for path in PACKAGE.glob("*.py"):
        if path not in sources():
            text = path.read_text(encoding="utf-8")
            nodes = list(ast.walk(ast.parse(text)))
            assert not [node for node in nodes if isinstance(node, ast.Attribute) and node.attr == "module"]
            assert "import tensorrt" not in text
