"""Feed-forwards in strips of rows: the same as at once, and out of the way of gradients and graphs."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
import torch

from spandrel_aethernet import AetherBase, AetherNet2
from spandrel_aethernet.model import strips
from spandrel_aethernet.model.generations import as_written, deployed
from spandrel_aethernet.model.strips import computes_at_once, in_strips

from ..conftest import make_network


def second() -> AetherBase:
    torch.manual_seed(0)
    return AetherNet2(embed_dim=16, depths=(1, 1), lk_kernel=5, sk_kernel=3, spatial_attn=True).eval()


NETWORKS = pytest.mark.parametrize("make", [make_network, second])


@pytest.fixture(autouse=True)
def narrow_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strips of a few rows, so that small images have several."""
    monkeypatch.setattr(strips, "_BYTES_OF_A_THREAD", 4096)


@NETWORKS
@pytest.mark.parametrize("size", [(1, 3, 1, 1), (1, 3, 19, 26), (2, 3, 7, 40)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_strips_give_what_the_formula_does(
    make: Callable[[], AetherBase], size: tuple[int, ...], layout: torch.memory_format
) -> None:
    network, x = make(), torch.rand(size).contiguous(memory_format=layout)
    with torch.inference_mode():
        expected = as_written(network)(x)
        for form in (network.fuse(), deployed(network, merged=True), deployed(network, merged=False)):
            assert float((form(x) - expected).abs().max()) < 1e-5
        assert float(expected.std()) > 1e-3


def test_a_map_is_cut_into_strips_and_kept_in_its_layout() -> None:
    seen: list[int] = []

    def double(x: torch.Tensor) -> torch.Tensor:
        seen.append(x.shape[2])
        return x * 2

    x = torch.rand(1, 4, 100, 16).contiguous(memory_format=torch.channels_last)
    output = in_strips(double, x, width=16)
    assert torch.equal(output, x * 2)
    assert output.stride() == x.stride()
    assert sum(seen) == 100
    assert len(seen) > 1


@NETWORKS
def test_gradients_are_those_of_the_formula(make: Callable[[], AetherBase]) -> None:
    network, x = make().train(), torch.rand(1, 3, 19, 26)
    network(x).square().mean().backward()
    found = [parameter.grad for parameter in network.parameters()]
    assert all(gradient is not None for gradient in found)
    assert not computes_at_once(x)
    with torch.no_grad():
        assert computes_at_once(x)


@pytest.mark.parametrize("trace", [False, True])
def test_graphs_hold_no_strips(trace: bool) -> None:
    network, x = make_network().fuse().eval(), torch.rand(1, 3, 19, 26)
    with torch.no_grad():
        if trace:
            graph = str(torch.jit.trace(network, x).inlined_graph)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType, reportAttributeAccessIssue]
        else:
            graph = str(torch.export.export(network, (x,)).graph)
    assert "gelu" in graph
    assert not {word for word in ("mul_(", "aten::mul_", "copy_", "aten.split") if word in graph}


def test_half_and_state_dict_are_as_before() -> None:
    network = make_network().fuse()
    buffer = io.BytesIO()
    torch.save(network.half().state_dict(), buffer)
    assert not [key for key in network.state_dict() if "strips" in key or "hidden" in key]
    with torch.inference_mode():
        assert torch.isfinite(network(torch.rand(1, 3, 19, 26).half())).all()
