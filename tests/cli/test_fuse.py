"""`aethernet fuse`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load

from spandrel_aethernet.data import DEMO_MODEL
from spandrel_aethernet.errors import OutputError
from spandrel_aethernet.model.io import load_model, save_state_dict

from ..artifacts import Artifacts
from ..conftest import Result, limit_file_size, make_network
from ..model.reference import load_case


def test_a_fused_pth_holds_exactly_the_published_keys(
    aethernet: Callable[..., Result], tmp_path: Path
) -> None:
    out = tmp_path / "fused.pth"
    result = aethernet("fuse", DEMO_MODEL, "-o", out)
    assert result.code == 0, result.err
    assert "aether_small, not fused, QAT" in result.out
    assert float(result.out.split("difference ")[1].split()[0]) < 1e-5
    written = torch.load(out, weights_only=True)
    published = load_case("small_2x_fused").state_dict
    assert {k: (t.shape, t.dtype) for k, t in written.items()} == {
        k: (t.shape, t.dtype) for k, t in published.items()
    }


def test_safetensors_carry_the_trained_ranges(aethernet: Callable[..., Result], tmp_path: Path) -> None:
    out = tmp_path / "fused.safetensors"
    result = aethernet("fuse", DEMO_MODEL, "-o", out, "--dtype", "float16")
    assert result.code == 0, result.err
    assert "with the trained ranges" in result.out
    assert "rounded to float16" in result.out
    first, again = load_model(DEMO_MODEL).model, load_model(out).model
    assert again.trained_ranges == first.trained_ranges
    tensors = load(out.read_bytes())
    assert {t.dtype for k, t in tensors.items() if "ranges" not in k} == {torch.float16}
    assert {t.dtype for k, t in tensors.items() if "ranges" in k} == {torch.float32}


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_files_go_through_both_formats_unchanged(
    aethernet: Callable[..., Result], tmp_path: Path, suffix: str, checkpoint_file: Callable[[Any], Path]
) -> None:
    first, second = tmp_path / f"first{suffix}", tmp_path / "second.safetensors"
    source = checkpoint_file(make_network(scale=4, sk_kernel=5).state_dict())
    assert aethernet("fuse", source, "-o", first).code == 0
    assert aethernet("fuse", first, "-o", second).code == 0
    expected = load_model(first).model.state_dict()
    assert all(torch.equal(tensor, expected[key]) for key, tensor in load(second.read_bytes()).items())


@pytest.mark.slow
def test_raw_weights_are_a_choice(aethernet: Callable[..., Result], tmp_path: Path) -> None:
    files = [tmp_path / "grid.pth", tmp_path / "raw.pth"]
    for file in files:
        assert aethernet("fuse", DEMO_MODEL, "-o", file, "--weights", file.stem).code == 0
    grid, raw = (torch.load(file, weights_only=True) for file in files)
    source = torch.load(DEMO_MODEL, weights_only=True)["params"]
    assert torch.equal(raw["conv_first.weight"], source["conv_first.weight"])
    assert not torch.equal(grid["conv_first.weight"], source["conv_first.weight"])


def test_existing_files_are_kept_unless_forced(aethernet: Callable[..., Result], tmp_path: Path) -> None:
    out = tmp_path / "fused.pth"
    out.write_bytes(b"precious")
    result = aethernet("fuse", DEMO_MODEL, "-o", out)
    assert (result.code, out.read_bytes()) == (1, b"precious")
    assert f"{out} exists and is kept" in result.err
    assert aethernet("fuse", DEMO_MODEL, "-o", out, "--force").code == 0


def test_targets_that_cannot_be_written(aethernet: Callable[..., Result], tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"")
    for out, message in (
        (tmp_path / "out.onnx", "is not named like a checkpoint: expected .pth or .safetensors"),
        (file / "out.pth", "cannot be written"),
        (tmp_path, "is a folder"),
    ):
        result = aethernet("fuse", DEMO_MODEL, "-o", out)
        assert result.code == 1
        assert message in result.err
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="limits on the size of a file are POSIX")
def test_a_full_disk_leaves_nothing(artifacts: Artifacts, tmp_path: Path) -> None:
    targets = [str(tmp_path / name) for name in ("out.pth", "out.safetensors")]
    code = f"""
from spandrel_aethernet.cli import main
for target in {targets}:
    assert main(["fuse", {str(artifacts.tiny)!r}, "-o", target]) == 1
"""
    result = subprocess.run(
        [sys.executable, "-c", code],
        preexec_fn=limit_file_size(1000),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    said = result.stderr.splitlines()
    assert [line.partition(" cannot be written: ")[0] for line in said] == [
        f"aethernet: {one}" for one in targets
    ]
    assert list(tmp_path.iterdir()) == []


def test_saving_needs_a_name_it_knows(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"expected \.pth or \.safetensors"):
        save_state_dict({}, tmp_path / "model.bin")


def test_values_that_a_dtype_cannot_hold_are_named(
    aethernet: Callable[..., Result], tmp_path: Path, checkpoint_file: Callable[[Any], Path]
) -> None:
    network = make_network()
    network.get_parameter("conv_last.bias").data[0] = 1e6
    source = checkpoint_file(network.state_dict())
    result = aethernet("fuse", source, "-o", tmp_path / "half.pth", "--dtype", "float16")
    assert result.code == 1
    assert "conv_last.bias is too large for float16" in result.err
    assert not (tmp_path / "half.pth").exists()
    assert aethernet("fuse", source, "-o", tmp_path / "loud.pth").code == 0, "agreement is relative"
