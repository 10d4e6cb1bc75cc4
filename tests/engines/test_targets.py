"""Which GPUs a build is for."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from spandrel_aethernet.engines.build_plan import BuildOptions
from spandrel_aethernet.engines.runtime import Runtime, find_runtime, version_problem
from spandrel_aethernet.engines.source import OnnxSource, open_source
from spandrel_aethernet.engines.targets import Gpu, choose_targets, parse_target, present_gpu
from spandrel_aethernet.errors import ArgumentError, EngineError

from .networks import upscaler

RTX_4090 = Gpu("NVIDIA GeForce RTX 4090", "8.9")
H100 = Gpu("NVIDIA H100 PCIe", "9.0")


@pytest.fixture
def source(tmp_path: Path) -> OnnxSource:
    return open_source(upscaler(tmp_path / "small.onnx"))


@pytest.fixture
def rtx() -> Runtime:
    pytest.importorskip("tensorrt_rtx")
    return find_runtime("rtx")


@pytest.mark.parametrize(
    ("text", "capability"),
    [
        ("8.6", "8.6"),
        ("86", "8.6"),
        ("sm86", "8.6"),
        ("SM_89", "8.9"),
        ("12.0", "12.0"),
        ("sm120", "12.0"),
        ("rtx 3060", "8.6"),
        ("RTX4090", "8.9"),
        ("NVIDIA GeForce RTX 5070 Ti Laptop GPU", "12.0"),
        ("rtx-2080-ti", "7.5"),
        ("GeForce RTX 2050", "8.6"),
        ("RTX A4000", "8.6"),
        ("Quadro RTX 5000", "7.5"),
        ("RTX 5000 Ada Generation", "8.9"),
        ("RTX PRO 6000 Blackwell", "12.0"),
        ("A100", "8.0"),
        ("L4", "8.9"),
        ("T4", "7.5"),
        ("GB10", "12.1"),
        ("DGX Spark", "12.1"),
        ("H200", "9.0"),
        ("GB200", "10.0"),
    ],
)
def test_capabilities_and_cards_are_understood(text: str, capability: str) -> None:
    assert parse_target(text) == capability


@pytest.mark.parametrize("text", ["", "rtx", "Radeon RX 7900", "1660", "8.6.1", "sm", "arc", "RTX 6010"])
def test_what_is_no_gpu_is_said(text: str) -> None:
    with pytest.raises(EngineError, match="is no GPU that is known here: give targets a compute capability"):
        parse_target(text)


def test_tensorrt_for_rtx_names_what_it_builds_for(rtx: Runtime) -> None:
    assert set(rtx.capabilities()) >= {"7.5", "8.0", "8.6", "8.9", "12.0", "12.1"}
    assert all(float(capability) >= 7.5 for capability in rtx.capabilities())


def test_rtx_builds_for_what_is_asked_else_for_the_gpu_else_for_all(rtx: Runtime, source: OnnxSource) -> None:
    assert choose_targets(rtx, ["8.9", "RTX 3060", "86"], None, source).capabilities == ("8.6", "8.9")
    assert choose_targets(rtx, "8.9", None, source).capabilities == ("8.9",), "as a hint may ask for it"
    assert choose_targets(rtx, ["12.0"], RTX_4090, source).capabilities == ("12.0",)
    assert choose_targets(rtx, [], RTX_4090, source).capabilities == ("8.9",)
    every = tuple(sorted(rtx.capabilities(), key=float))
    assert choose_targets(rtx, [], None, source).capabilities == every
    assert choose_targets(rtx, [], H100, source).capabilities == every, "RTX does not know this GPU"
    assert choose_targets(rtx, ["All"], RTX_4090, source).capabilities == every
    with pytest.raises(EngineError, match=r"does not build for 9\.0: expected 7\.5, 8\.0, "):
        choose_targets(rtx, ["H100", "8.6"], H100, source)


def test_classic_tensorrt_builds_for_the_gpu_that_is_here(source: OnnxSource) -> None:
    classic = Runtime("tensorrt", None, "10.13.0.35")
    assert choose_targets(classic, [], H100, source).capabilities == ("9.0",)
    assert choose_targets(classic, ["sm90"], H100, source).capabilities == ("9.0",)
    with pytest.raises(
        EngineError, match=r"builds for the GPU it runs on, NVIDIA H100 PCIe \(9\.0\), and not"
    ):
        choose_targets(classic, ["8.6"], H100, source)
    with pytest.raises(EngineError, match=r"and not for all: leave targets out, or choose runtime='rtx'"):
        choose_targets(classic, ["all"], H100, source)
    with pytest.raises(EngineError, match=r'none is found here: .*pip install "spandrel-aethernet\[rtx\]"'):
        choose_targets(classic, [], None, source)


def test_turing_is_refused_where_it_has_no_kernels(rtx: Runtime, tmp_path: Path) -> None:
    products = open_source(upscaler(tmp_path / "products.onnx", product=True))
    with pytest.raises(EngineError, match=r"products\.onnx cannot be built for 7\.5, .*fp16 or fp16-int8"):
        choose_targets(rtx, ["RTX 2060"], None, products)
    with pytest.raises(EngineError, match=r"cannot be built for 7\.5"):
        choose_targets(rtx, [], Gpu("NVIDIA GeForce RTX 2060", "7.5"), products)


def test_gpu_is_asked_of_the_driver() -> None:
    gpu = present_gpu()
    if gpu is not None:
        assert gpu.name
        assert float(gpu.capability) >= 3


def test_other_runtimes_are_refused_with_the_choices() -> None:
    for refused in (lambda: find_runtime("trt"), lambda: BuildOptions(runtime="trt")):
        with pytest.raises(ArgumentError, match="runtime is 'trt': expected one of auto, rtx, tensorrt"):
            refused()


def test_no_command_is_given_that_installs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    with pytest.raises(EngineError, match=r'pip install "spandrel-aethernet\[rtx\]", on x86-64 Linux or'):
        find_runtime("rtx")


def test_other_version_is_said_with_the_command(rtx: Runtime) -> None:
    assert version_problem("rtx", rtx.version) is None
    assert version_problem("rtx", "1.2.0.54") == (
        f"TensorRT for RTX 1.2.0.54 built it and {rtx.version} is installed: build it again, or "
        "pip install tensorrt-rtx-cu13==1.2.0.54"
    )
    assert replace(rtx, version="9").title == "TensorRT for RTX 9"
