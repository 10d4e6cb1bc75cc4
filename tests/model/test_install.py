"""spandrel's own loader after `install`: the same tensors, no code, from any thread."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save
from spandrel import MAIN_REGISTRY, ModelLoader

from spandrel_aethernet import install, load_model
from spandrel_aethernet.data import DEMO_MODEL
from spandrel_aethernet.errors import CheckpointError
from spandrel_aethernet.model.install import VARIABLE

from ..conftest import make_network
from .reference import load_case

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit")


@pytest.fixture(autouse=True)
def guarded() -> Generator[None]:
    install()
    yield
    install()


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A TorchScript archive."""
    path = tmp_path / "script.pt"
    torch.jit.script(torch.nn.Conv2d(1, 1, 1)).save(path)  # pyright: ignore
    return path


def test_a_program_is_refused_and_the_switch_is_named(script: Path) -> None:
    with pytest.raises(CheckpointError, match=rf"^{script} is refused, .* {VARIABLE}=off"):
        ModelLoader().load_state_dict_from_file(script)


def test_the_guard_can_be_left_out_and_put_back(script: Path) -> None:
    install(guard=False)
    assert list(ModelLoader().load_state_dict_from_file(script)) == ["weight", "bias"]
    install()
    with pytest.raises(CheckpointError):
        ModelLoader().load_state_dict_from_file(script)


def test_the_environment_leaves_it_out(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "off")
    install()
    assert list(ModelLoader().load_state_dict_from_file(script)) == ["weight", "bias"]


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".ckpt", ".safetensors"])
def test_files_of_any_architecture_are_read_as_before(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"other{suffix}"
    state_dict = {f"module.body.{i}.weight": torch.rand(2, 3) for i in range(3)}
    if suffix == ".safetensors":
        path.write_bytes(save(state_dict))
    else:
        torch.save({"params": state_dict, "iter": 5}, path)
    guarded = ModelLoader().load_state_dict_from_file(path)
    install(guard=False)
    stock = ModelLoader().load_state_dict_from_file(path)
    assert list(guarded) == list(stock)
    assert all(torch.equal(guarded[key], stock[key]) for key in stock)


def test_a_release_that_names_its_pytorch_is_read_with_and_without_the_guard(
    checkpoint_file: Callable[[Any], Path],
) -> None:
    path = checkpoint_file(load_case("gen2_small_2x_release_fp16").checkpoint)
    for guard in (True, False):
        install(guard=guard)
        assert ModelLoader().load_from_file(path).architecture.id == "AetherNet2"
    install(guard=False, torch_version=False)
    with pytest.raises(pickle.UnpicklingError, match="TorchVersion"):
        ModelLoader().load_from_file(path)


def test_damaged_files_say_nothing_of_the_switch(tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    path.write_bytes(DEMO_MODEL.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"is truncated: download or copy it again$"):
        ModelLoader().load_from_file(path)


def in_ten_threads(work: Callable[[], Any]) -> list[Any]:
    with ThreadPoolExecutor(10) as pool:
        return [future.result() for future in [pool.submit(work) for _ in range(10)]]


def test_install_from_ten_threads_adds_once() -> None:
    in_ten_threads(install)
    assert [str(arch.architecture.id) for arch in MAIN_REGISTRY.architectures()].count("AetherNet") == 1
    assert ModelLoader().load_from_file(DEMO_MODEL).architecture.id == "AetherNet"


def test_ten_loads_in_threads_are_equal(image: torch.Tensor, checkpoint_file: Callable[[Any], Path]) -> None:
    path = checkpoint_file(make_network().state_dict())
    first, *others = in_ten_threads(lambda: load_model(path).model)
    with torch.inference_mode():
        expected = first(image)
        assert all(torch.equal(model(image), expected) for model in others)
