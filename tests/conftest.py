"""Shared by all tests: AetherNet in spandrel's registry, small networks, one command line."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
import torch

from spandrel_aethernet import AetherBase, AetherNet, AetherNet2, install, load_model
from spandrel_aethernet.data import DEMO_MODEL

if TYPE_CHECKING:  # what only some tests need is imported when they ask for it
    from spandrel_aethernet.inference.pytorch import PyTorchBackend

    from .artifacts import Artifacts

install()


def make_network(**hyperparameters: Any) -> AetherNet:
    """Build a small network, or as asked, with every parameter drawn so that signals keep their size."""
    defaults: dict[str, Any] = {"embed_dim": 12, "depths": (2, 1), "lk_kernel": 7}
    return drawn(AetherNet(**(defaults | hyperparameters)))


def make_second(**hyperparameters: Any) -> AetherNet2:
    """Build a small network of the second generation, its norms' statistics drawn too."""
    defaults: dict[str, Any] = {"embed_dim": 16, "depths": (2, 1), "lk_kernel": 7, "sk_kernel": 3}
    network = drawn(AetherNet2(**(defaults | hyperparameters)))
    generator = torch.Generator().manual_seed(1)
    for name, buffer in network.named_buffers():
        if "running" in name:
            spread = torch.rand(buffer.shape, generator=generator)
            buffer.copy_(spread + 0.2 if name.endswith("var") else spread / 4)
    return network


Network = TypeVar("Network", bound=AetherBase)


@torch.no_grad()
def drawn(network: Network) -> Network:
    """Draw every parameter from one seed, and return the network in evaluation mode."""
    generator = torch.Generator().manual_seed(0)
    for name, parameter in network.named_parameters():
        fan_in = parameter[0].numel() if parameter.ndim > 1 else 100
        values = torch.empty_like(parameter).normal_(0, fan_in**-0.5, generator=generator)
        around_one = name.endswith(("norm.weight", "temperature"))
        parameter.copy_(values + 1 if around_one else values)
    return network.eval()


@pytest.fixture
def network() -> AetherNet:
    """A small not fused 2x network."""
    return make_network()


@pytest.fixture
def image() -> torch.Tensor:
    """1 x 3 x 19 x 26, values 0..1."""
    return torch.rand(1, 3, 19, 26, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def checkpoint_file(tmp_path: Path) -> Callable[[Any], Path]:
    """Write anything as a `.pth` and return its path."""

    def write(content: Any) -> Path:
        path = tmp_path / "checkpoint.pth"
        torch.save(content, path)
        return path

    return write


def limit_file_size(size: int) -> Callable[[], None]:
    """Return what makes a child process meet a disk that is full after `size` bytes a file (POSIX)."""

    def limit() -> None:
        if sys.platform != "win32":
            import resource

            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


def start(*arguments: object, limit: int | None = None) -> subprocess.Popen[str]:
    """Run the command line in a child process, with a limit on the size of its files if one is given."""

    def prepare() -> None:
        # A shell starts what runs in its background with Ctrl-C ignored, and children inherit that.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if limit is not None:
            limit_file_size(limit)()

    return subprocess.Popen(
        [sys.executable, "-m", "spandrel_aethernet", *map(str, arguments)],
        preexec_fn=prepare,  # noqa: PLW1509  (the child runs nothing else)
        stderr=subprocess.PIPE,
        text=True,
    )


class Result:
    """Exit code, stdout and stderr of one command."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def aethernet(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Run the command line in this process."""
    from spandrel_aethernet.cli import main

    def run(*arguments: object) -> Result:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def demo_backend() -> PyTorchBackend:
    """The bundled model on the CPU."""
    from spandrel_aethernet.inference.pytorch import PyTorchBackend

    return PyTorchBackend(load_model(DEMO_MODEL).model, torch.device("cpu"), torch.float32)


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Artifacts:
    """What the session's tests share."""
    from .artifacts import Artifacts

    return Artifacts(tmp_path_factory.mktemp("artifacts"))
