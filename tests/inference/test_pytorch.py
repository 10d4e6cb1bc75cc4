"""Which dtype images run in on PyTorch, and networks that are compiled."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from spandrel_aethernet import AetherBase, AetherNet2, load_model, upscale
from spandrel_aethernet.data import DEMO_MODEL
from spandrel_aethernet.errors import ArgumentError
from spandrel_aethernet.images.psnr import psnr
from spandrel_aethernet.inference.open import open_model
from spandrel_aethernet.inference.pytorch import Dtypes, PyTorchBackend, choose_dtype, computes_bfloat16

from ..artifacts import TINY, Artifacts
from ..conftest import make_network
from ..images.pictures import photograph

CPU = torch.device("cpu")
BOTH = Dtypes(torch.bfloat16, torch.float32)


def second() -> AetherBase:
    torch.manual_seed(0)
    return AetherNet2(embed_dim=16, depths=(1, 1), lk_kernel=5, sk_kernel=3).eval()


def test_auto_asks_the_machine() -> None:
    of_bytes = torch.bfloat16 if computes_bfloat16() else torch.float32
    assert choose_dtype("auto", CPU) == (of_bytes, torch.float32)
    assert choose_dtype("auto", torch.device("cuda")) == (torch.float16, torch.float16)
    assert choose_dtype("auto", torch.device("mps")) == (torch.float32, torch.float32)


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux what the CPU can do")
def test_linux_says_the_same_of_the_machine() -> None:
    told = Path("/proc/cpuinfo").read_text("utf-8").split()
    assert computes_bfloat16() == bool({"avx512_bf16", "amx_bf16", "bf16"} & {*told})


@pytest.mark.parametrize("name", ["float32", "float16", "bfloat16"])
def test_a_dtype_that_is_asked_for_is_for_all_images(name: str) -> None:
    dtype = getattr(torch, name)
    assert choose_dtype(name, CPU) == (dtype, dtype)
    assert str(choose_dtype(name, CPU)) == name


def test_a_dtype_is_one_of_those_there_are() -> None:
    with pytest.raises(ArgumentError, match="dtype is 'int8': expected one of auto, float32"):
        choose_dtype("int8", CPU)


@pytest.mark.parametrize("make", [make_network, second])
def test_8_bit_images_run_in_one_form_and_others_in_the_other(make: Callable[[], AetherBase]) -> None:
    network = make()
    backend = PyTorchBackend(network, CPU, BOTH)
    image = photograph(24, 31)
    deep = image.astype(np.uint16) * 257
    for pixels, dtype in ((deep, torch.float32), (image, torch.bfloat16), (deep, torch.float32)):
        alone = PyTorchBackend(network, CPU, dtype)
        assert np.array_equal(upscale(pixels, backend), upscale(pixels, alone))
    assert not np.array_equal(upscale(deep, backend), upscale(image, backend) * np.uint16(257))


def test_means_are_those_of_the_form_that_runs() -> None:
    network, image = second(), photograph(40, 52)
    both, alone = PyTorchBackend(network, CPU, BOTH), PyTorchBackend(network, CPU, torch.bfloat16)
    in_tiles, expected = (upscale(image, backend, tile=32, overlap=4) for backend in (both, alone))
    assert np.array_equal(in_tiles, expected)
    assert psnr(in_tiles, upscale(image, both), peak=255) > 40


def test_two_forms_are_told_in_one_line(artifacts: Artifacts) -> None:
    backend = PyTorchBackend(make_network(**TINY), CPU, BOTH)
    assert backend.description == "bfloat16 (8-bit images) or float32 on cpu"
    told = open_model(artifacts.tiny, device="cpu").description
    assert told.endswith(f"{choose_dtype('auto', CPU)} on cpu")


@pytest.mark.skipif(not computes_bfloat16(), reason="this CPU does not compute in bfloat16")
def test_bfloat16_is_near_float32_on_a_photograph(demo_backend: PyTorchBackend) -> None:
    image = photograph(96, 96)
    output = upscale(image, load_model(DEMO_MODEL), device="cpu")
    assert psnr(output, upscale(image, demo_backend), peak=255) >= 50


SCRIPT = """
import sys
from pathlib import Path
import numpy as np
from spandrel_aethernet import upscale
from spandrel_aethernet.inference.open import open_model
backend = open_model(Path(sys.argv[1]), device="cpu", dtype="float32", compile=int(sys.argv[2])).backend
plain = open_model(Path(sys.argv[1]), device="cpu", dtype="float32").backend
plain.one_tile_size = True
print(backend.description, file=sys.stderr)
image = np.random.default_rng(0).random((50, 41, 4), np.float32)
whole, expected = upscale(image, backend, overlap=8), upscale(image, plain, tile=int(sys.argv[2]), overlap=8)
print(float(np.abs(whole - expected).max()) < 1e-5)
"""


def compiled(artifacts: Artifacts, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, artifacts.tiny, "32"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="there is no C++ compiler")
def test_a_compiled_network_gives_the_same_and_says_how_long_it_took(
    artifacts: Artifacts, tmp_path: Path
) -> None:
    result = compiled(artifacts, TORCHINDUCTOR_CACHE_DIR=str(tmp_path))
    assert "float32 on cpu, compiled for tiles of 32 in " in result.stderr
    assert result.stdout == "True\n"


@pytest.mark.slow
def test_without_a_compiler_it_runs_as_without_being_asked(artifacts: Artifacts, tmp_path: Path) -> None:
    result = compiled(artifacts, CXX=str(tmp_path / "none"), TORCHINDUCTOR_CACHE_DIR=str(tmp_path))
    assert "float32 on cpu, not compiled: no working C++ compiler was found\n" in result.stderr
    assert result.stdout == "True\n"


def test_channel_attention_is_not_compiled() -> None:
    backend = PyTorchBackend(second(), CPU, torch.float32, compile=True)
    assert backend.description.endswith("not compiled: its channel attention takes means of the whole image")
