"""TensorRT engines: what can be said without a GPU."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from spandrel_aethernet.cli.options import option_words
from spandrel_aethernet.engines.build import build_engine
from spandrel_aethernet.engines.build_plan import BuildOptions
from spandrel_aethernet.engines.header import Header
from spandrel_aethernet.engines.runtime import Runtime, find_runtime
from spandrel_aethernet.engines.sidecar import document, sidecar_path
from spandrel_aethernet.errors import AetherError, ArgumentError, EngineError
from spandrel_aethernet.inference.open import backend_for, open_model
from spandrel_aethernet.inference.padding import Limits
from spandrel_aethernet.inference.tensorrt.backend import accepted_by, tile_for
from spandrel_aethernet.inference.tensorrt.first_use import for_capability
from spandrel_aethernet.inference.tensorrt.load import (
    build_command,
    error_log,
    first_error,
    header_refusal,
    load_engine,
    mismatch,
    runtimes_for,
)
from spandrel_aethernet.inference.tensorrt.session import Memory
from spandrel_aethernet.shapes import Profile, Range

from ..conftest import Result
from .engine_files import SHAPES, info_of
from .onnx_files import write_onnx

without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")

NOWHERE = torch.device("cpu")
"""For what is found out before a GPU is asked for anything."""


@pytest.fixture(scope="session")
def rtx_engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An engine for one kind of GPU, by TensorRT for RTX, with its description."""
    pytest.importorskip("tensorrt_rtx")
    folder = tmp_path_factory.mktemp("engine")
    source, target = write_onnx(folder / "net.onnx"), folder / "net.engine"
    build_engine(source, target, BuildOptions(runtime="rtx", targets=["8.6"], shapes=SHAPES))
    return target


@pytest.fixture
def rtx_copy(rtx_engine: Path, tmp_path: Path) -> Path:
    """The same without its description, to be changed."""
    path = tmp_path / "copy.engine"
    path.write_bytes(rtx_engine.read_bytes())
    return path


@pytest.mark.parametrize("name", ["a.engine", "a.trt", "a.PLAN"])
def test_engines_are_known_by_their_suffix(name: str) -> None:
    assert backend_for(Path(name)) == backend_for(Path(name), "tensorrt") == "tensorrt"


@without_gpu
@pytest.mark.parametrize(
    "command",
    [
        ["upscale", "gone/", "-o", "out", "-m", "gone.engine"],
        ["upscale", "gone.png", "-o", "out.png", "-m", "gone.plan", "--backend", "tensorrt"],
        ["compare", "gone.pth", "gone.onnx", "gone.engine", "--images", "gone"],
        ["benchmark", "gone.pth", "gone.trt"],
    ],
)
def test_a_missing_gpu_is_said_before_anything_is_read(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aethernet: Callable[..., Result]
) -> None:
    monkeypatch.chdir(tmp_path)
    result = aethernet(*command)
    assert (result.code, result.out, result.err.count("\n")) == (1, "", 1)
    assert result.err.startswith("aethernet: gone.")
    assert " needs " in result.err
    assert "or run the checkpoint or ONNX file it was built from" in result.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["-m", "net.bin", "--backend", "tensorrt"],
            "net.bin is not named like a file that tensorrt runs, which are .engine, .trt, .plan, .pth",
        ),
        (
            ["-m", "net.engine", "--backend", "onnx"],
            "that onnx runs, which are .onnx: leave --backend onnx out",
        ),
    ],
)
def test_a_backend_for_other_files_is_said(
    options: list[str], message: str, aethernet: Callable[..., Result]
) -> None:
    result = aethernet("upscale", "a.png", "-o", "b.png", *options)
    assert (result.code, result.err.count("\n")) == (1, 1)
    assert message in result.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"dtype": "float16"},
            "net.engine .* dtype is for checkpoints: leave dtype='float16' out",
        ),
        ({"weights": "raw"}, "weights is for checkpoints: leave weights='raw' out"),
        ({"provider": "cuda"}, "provider is for ONNX files: leave provider='cuda' out"),
        (
            {"precision": "fp16"},
            "precision is for engines that are built of checkpoints: leave precision='fp16' out",
        ),
        ({"build": BuildOptions()}, "build is for engines that are built of checkpoints and ONNX files$"),
    ],
)
def test_options_for_other_files_are_said(options: dict[str, Any], message: str) -> None:
    with pytest.raises(AetherError, match=message):
        open_model(Path("net.engine"), **options)


@pytest.mark.parametrize(
    ("name", "backend", "options", "message"),
    [
        (
            "net.pth",
            "auto",
            {"precision": "fp16"},
            "net.pth is run by pytorch, and precision is for engines that are",
        ),
        (
            "net.onnx",
            "tensorrt",
            {"precision": "fp16"},
            "net.onnx is run by tensorrt, and precision is for engines that are",
        ),
        (
            "net.onnx",
            "tensorrt",
            {"provider": "cpu"},
            "net.onnx is run by tensorrt, and provider is for onnx: leave",
        ),
        (
            "net.pth",
            "tensorrt",
            {"dtype": "float16"},
            "net.pth is run by tensorrt, and dtype is for pytorch: leave",
        ),
        (
            "net.pth",
            "tensorrt",
            {"trust": True},
            "net.pth is run by tensorrt, and trust is for TensorRT engines",
        ),
        ("net.pth", "tensorrt", {"precision": "fp12"}, "precision is 'fp12': expected one of fp32"),
    ],
)
def test_options_for_other_backends_are_said(
    name: str, backend: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        open_model(Path(name), backend=backend, **options)


@without_gpu
@pytest.mark.parametrize("name", ["net.pth", "net.safetensors", "net.onnx"])
def test_without_a_gpu_no_engine_is_built_of_a_network(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPANDREL_AETHERNET_CACHE", str(tmp_path / "cache"))
    with pytest.raises(EngineError, match=f"an engine of .*{name} needs .*or leave backend='tensorrt' out"):
        open_model(tmp_path / name, backend="tensorrt", build=BuildOptions(shapes=SHAPES))
    assert list(tmp_path.iterdir()) == []


def test_an_engine_is_built_for_the_gpu_that_runs_it() -> None:
    pytest.importorskip("tensorrt_rtx")
    assert for_capability(BuildOptions(), "8.9") == BuildOptions(targets=("8.9",))
    asked = BuildOptions(runtime="rtx", targets=["8.6"])
    assert for_capability(asked, "8.9") == asked
    unknown = BuildOptions(runtime="rtx")
    assert for_capability(unknown, "9.0") == unknown, "for all GPUs it knows, and one of them may do"


def test_trust_is_for_engines() -> None:
    with pytest.raises(ArgumentError, match="trust is for TensorRT engines: leave trust=True out"):
        open_model(Path("net.onnx"), trust=True)


@pytest.mark.parametrize(
    ("profile", "tile", "said"),
    [
        (Profile(), 256, "32×32 to 1080×1920"),
        (Profile(Range(1, 4, 8), Range(64, 512, 512), Range(64, 128, 512)), 128, "64×64 to 512×512"),
        (Profile(Range(2, 2, 2), Range(48, 48, 48), Range(80, 80, 80)), 48, "48×80 only"),
        (Profile(Range(1, 1, 1), Range(16, 64, 128), Range(256, 512, 999)), 64, "16×256 to 128×999"),
    ],
)
def test_tiles_are_those_the_engine_is_optimized_for(profile: Profile, tile: int, said: str) -> None:
    accepted = accepted_by(profile)
    assert str(accepted) == said
    assert accepted.batch == Limits(profile.batch.min, profile.batch.max)
    assert tile_for(profile) == tile
    assert tile <= min(profile.height.max, profile.width.max), "it can be fed, padded if need be"


@pytest.mark.parametrize("options", [{"dtype": "half"}, {"weights": "rwa"}, {"backend": "cuda"}])
def test_unknown_names_are_refused_with_the_choices(options: dict[str, str]) -> None:
    (name,) = options
    with pytest.raises(ArgumentError, match=f"{name} is '.*': expected one of .*, "):
        open_model(Path("gone.pth"), **options)  # pyright: ignore[reportArgumentType]


def test_memory_is_kept_and_grows() -> None:
    memory = Memory(NOWHERE)
    tensor = memory.tensor((2, 3, 4, 5), torch.float16)
    assert (tensor.shape, tensor.dtype, memory.size) == ((2, 3, 4, 5), torch.float16, 240)
    assert tensor.is_contiguous()
    address = tensor.data_ptr()
    assert memory.tensor((1, 3, 4, 5), torch.float32).data_ptr() == address, "the same bytes, enough of them"
    assert memory.size == 240
    assert memory.bytes(241).numel() == memory.size == 241
    assert memory.bytes(0).numel() == 0


def test_another_version_or_gpu_is_found(rtx_engine: Path) -> None:
    info, runtime = info_of(rtx_engine), find_runtime("rtx")
    built = Header(info.runtime, info.version)
    assert mismatch(built, info, runtime, "8.6") is None
    assert mismatch(None, None, runtime, "8.6") is None
    assert mismatch(Header("rtx", "1.2.3.4"), None, runtime, "8.6") == (
        f"with TensorRT for RTX 1.2.3.4, and {runtime.version} is installed here"
    )
    classic = dataclasses.replace(info, runtime="tensorrt", targets=("8.9", "12.0"))
    as_classic = Runtime("tensorrt", runtime.module, info.version)
    built = Header("tensorrt", info.version)
    assert mismatch(built, classic, as_classic, "8.9") is None
    assert mismatch(built, classic, as_classic, "8.6") == (
        "for GPUs of compute capability 8.9, 12.0, and this one has 8.6"
    )


def test_the_command_that_helps_is_one_that_works(
    rtx_engine: Path, rtx_copy: Path, monkeypatch: pytest.MonkeyPatch, aethernet: Callable[..., Result]
) -> None:
    command = build_command(Path("a.engine"), None, "tensorrt", "8.9")
    assert command == "aethernet engine SOURCE -o a.engine --runtime tensorrt --force"
    from_checkpoint = dataclasses.replace(info_of(rtx_engine), source="net.pth", precision="fp16")
    command = build_command(Path("a.engine"), from_checkpoint, "rtx", "8.9")
    assert command == "aethernet engine net.pth -o a.engine --target 8.9 --precision fp16 --force"
    monkeypatch.chdir(rtx_copy.parent)
    command = build_command(Path("copy.trt"), info_of(rtx_engine), "rtx", "8.9")
    assert command == "aethernet engine net.onnx -o copy.engine --target 8.9 --force"
    write_onnx(Path("net.onnx"))
    result = aethernet(*command.split()[1:])
    assert result.code == 0, result.err
    assert info_of(rtx_copy).targets == ("8.9",)


def test_the_tensorrt_that_built_an_engine_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path("net.engine")
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    pytest.importorskip("tensorrt_rtx")
    assert [runtime.name for runtime in runtimes_for(path, Header("rtx", "1.7"))] == ["rtx"]
    assert [runtime.name for runtime in runtimes_for(path, None)] == ["rtx"]
    with pytest.raises(EngineError) as error:
        runtimes_for(path, Header("tensorrt", "10.13.0.35"))
    assert str(error.value) == (
        "net.engine was built with TensorRT, and TensorRT is not installed here: "
        'pip install "spandrel-aethernet[tensorrt]"'
    )
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    with pytest.raises(EngineError, match="not installed here: pip install"):
        runtimes_for(path, None)


def test_a_damaged_engine_is_said(rtx_copy: Path) -> None:
    content = rtx_copy.read_bytes()
    rtx_copy.write_bytes(content[:-100])
    with pytest.raises(EngineError, match="is truncated: it has "):
        load_engine(rtx_copy, NOWHERE)
    with pytest.raises(EngineError, match="cannot be read: No such file"):
        load_engine(rtx_copy.with_name("gone.engine"), NOWHERE)


def test_an_engine_that_is_not_its_description_s_is_said(rtx_engine: Path, rtx_copy: Path) -> None:
    sidecar_path(rtx_copy).write_text(document(info_of(rtx_engine)), encoding="utf-8")
    with rtx_copy.open("ab") as file:
        file.write(b"more")
    with pytest.raises(EngineError, match=r"is not the engine that copy\.engine\.json describes"):
        load_engine(rtx_copy, NOWHERE)


def test_an_engine_without_a_description_is_not_even_given_to_tensorrt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("tensorrt", "tensorrt_rtx"):
        monkeypatch.setitem(sys.modules, name, None)
    engine = tmp_path / "net.engine"
    engine.write_bytes(b"who knows what program" * 9)
    with pytest.raises(EngineError) as raised:
        load_engine(engine, NOWHERE)
    assert str(raised.value) == (
        f"{engine} is not run: an engine is a program, and no net.engine.json lies beside this one to tell "
        "what it is: copy that file too, or give trust=True if you know who built the engine"
    )
    assert raised.value.message.text(option_words).endswith(
        "or give --trust if you know who built the engine"
    )
    with pytest.raises(EngineError, match="TensorRT for RTX or TensorRT is not installed here"):
        load_engine(engine, NOWHERE, trust=True)


def test_tensorrt_for_rtx_tells_what_is_no_engine(
    rtx_engine: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    runtime = find_runtime("rtx")
    log = error_log(runtime)
    deserializer = runtime.module.Runtime(log)
    assert (
        header_refusal(runtime.module, deserializer, b"a letter, not a network" * 9)
        == "it is not an engine of this runtime"
    )
    assert header_refusal(runtime.module, deserializer, rtx_engine.read_bytes()) in (
        None,
        "it was built for other GPUs",
    )
    log.errors.clear()
    assert deserializer.deserialize_cuda_engine(b"a letter, not a network" * 9) is None
    words = first_error(log)
    assert "expected magic tag" in words.lower().replace("_", " ")
    assert "Error Code" not in words
    assert "\n" not in words
    assert "_src/" not in words
    assert first_error(log) == "no reason given", "it says nothing twice"
    assert capfd.readouterr() == ("", ""), "TensorRT prints nothing by itself"
