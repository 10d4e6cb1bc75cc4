"""Which devices workers are given, and what is refused before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from spandrel_aethernet.errors import ArgumentError
from spandrel_aethernet.workers.devices import check_for_cluster, on_devices, on_processors
from spandrel_aethernet.workers.tasks import ModelSpec

CHECKPOINT, ONNX = Path("a.pth"), Path("a.onnx")


@pytest.mark.skipif(torch.cuda.is_available(), reason="for a machine without a GPU")
@pytest.mark.parametrize("device", ["all", "cuda:0,cuda:1", "cpu,cpu"])
def test_without_a_gpu_there_are_none_to_choose_from(device: str) -> None:
    with pytest.raises(ArgumentError, match="finds no CUDA GPU here: try device='cpu'"):
        on_devices(ModelSpec(CHECKPOINT, device=device))


def test_each_gpu_is_all_that_its_worker_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of GPUs is said here, since no test machine has three."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    placed = on_devices(ModelSpec(CHECKPOINT, device="all"))
    assert [environment["CUDA_VISIBLE_DEVICES"] for _, environment in placed] == ["0", "1", "2"]
    assert {spec.device for spec, _ in placed} == {"cuda"}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5, GPU-8a,7")
    placed = on_devices(ModelSpec(ONNX, device="cuda:1, cuda:2"))
    assert [environment["CUDA_VISIBLE_DEVICES"] for _, environment in placed] == ["GPU-8a", "7"]
    assert {(spec.device, spec.provider) for spec, _ in placed} == {("auto", "cuda")}
    for device, name in (("cuda:0,cuda:3", "cuda:3"), ("cuda:0,cpu", "cpu"), ("cuda,cuda", "cuda")):
        with pytest.raises(
            ArgumentError, match=f"'{name}' is no CUDA GPU of this machine, which are cuda:0 to"
        ):
            on_devices(ModelSpec(CHECKPOINT, device=device))


def test_one_device_needs_no_process() -> None:
    spec = ModelSpec(CHECKPOINT, device="cuda:1")
    assert on_devices(spec) == [(spec, {})]


def test_workers_share_the_cpu_only() -> None:
    assert len(on_processors(ModelSpec(CHECKPOINT, device="cpu"), 3)) == 3
    assert len(on_processors(ModelSpec(ONNX, provider="cpu"), 2)) == 2
    with pytest.raises(ArgumentError, match=r"a\.pth would not run there: give device='cpu'"):
        on_processors(ModelSpec(CHECKPOINT, device="cuda"), 2)
    with pytest.raises(ArgumentError, match=r"a\.engine would not run there$"):
        on_processors(ModelSpec(Path("a.engine")), 2)


def test_a_cluster_gives_devices_itself() -> None:
    check_for_cluster("cuda")
    with pytest.raises(ArgumentError, match="which gives one GPU to each worker: leave device='cuda:1' out"):
        check_for_cluster("cuda:1")
