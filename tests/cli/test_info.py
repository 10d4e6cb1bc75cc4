"""`aethernet info`, and every bad file as a user meets it."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

from spandrel_aethernet.data import DEMO_MODEL, original

from ..conftest import Result, make_network


def test_json_tells_everything(aethernet: Callable[..., Result]) -> None:
    result = aethernet("info", DEMO_MODEL, "--json")
    assert result.code == 0
    assert result.err == ""
    document = json.loads(result.out)
    assert document["layout"] == "not fused, QAT"
    assert (document["variant"], document["scale"], document["dtype"]) == ("aether_small", 2, "float32")
    assert document["parameters"] == 1_388_963
    assert document["hyperparameters"] == {
        "in_chans": 3,
        "embed_dim": 96,
        "depths": [4, 4, 4, 4],
        "mlp_ratio": 2.0,
        "scale": 2,
        "lk_kernel": 11,
        "sk_kernel": 3,
        "img_range": 1.0,
        "fused": False,
    }
    assert document["receptive_radius"] == 85
    low, high = document["trained_ranges"]["activations"]["quant"]
    assert -0.51 < low < -0.49 < 0.49 < high < 0.51
    assert document["trained_ranges"]["weight_scales"]["upsample.0"] == 256


def test_text_tells_it_in_lines(
    aethernet: Callable[..., Result], checkpoint_file: Callable[[Any], Path]
) -> None:
    result = aethernet("info", DEMO_MODEL)
    assert "16 × layers.*.norm" in result.out
    fused = aethernet("info", checkpoint_file(make_network(in_chans=1, scale=3).fuse().half().state_dict()))
    lines = dict(line.split(None, 1) for line in fused.out.splitlines())
    assert (lines["layout"], lines["channels"], lines["dtype"], lines["scale"]) == (
        "fused",
        "1",
        "float16",
        "3x",
    )
    assert "does not tell" in lines["kernels"]


class Malicious:
    """Pickled, it asks to run a command when it is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return eval, ("open('pwned', 'w')",)


def zip_of_text(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "not a checkpoint")


WHOLE = DEMO_MODEL.read_bytes()
FILES: list[tuple[str, Callable[[Path], object], str]] = [
    ("none.pth", lambda _path: None, "cannot be read: No such file"),
    (
        "folder.pth",
        lambda path: path.mkdir(),
        "cannot be read: Is a directory|cannot be read: Permission denied",
    ),
    ("model.onnx", lambda path: path.write_bytes(b"x"), "is not named like a checkpoint: expected .pth"),
    ("empty.pth", lambda path: path.write_bytes(b""), "is empty"),
    ("empty.safetensors", lambda path: path.write_bytes(b""), "is empty"),
    ("truncated.pth", lambda path: path.write_bytes(WHOLE[: len(WHOLE) // 2]), "is truncated"),
    ("truncated.pt", lambda path: path.write_bytes(WHOLE[:-100]), "is truncated"),
    (
        "truncated.safetensors",
        lambda path: path.write_bytes(save({"a": torch.zeros(1000)})[:500]),
        "is damaged, truncated or no safetensors file",
    ),
    ("picture.pth", lambda path: path.write_bytes(original("rocket").read_bytes()), "is not a PyTorch file"),
    ("text.ckpt", lambda path: path.write_text("hello"), "is not a PyTorch file"),
    ("pickle.pth", lambda path: path.write_bytes(pickle.dumps(5)), "no PyTorch checkpoint"),
    ("zip.pth", zip_of_text, "is refused: it holds something other than plain tensors"),
    (
        "evil.pth",
        lambda path: torch.save({"a": Malicious()}, path),
        "is refused, because it holds pickled code",
    ),
    (
        "evil.ckpt",
        lambda path: path.write_bytes(pickle.dumps(Malicious())),
        "is refused, because it holds pickled",
    ),
    ("evil.pt", lambda path: torch.save({"a": Malicious()}, path), "is refused"),
    ("list.pth", lambda path: torch.save([1, 2], path), "holds no state_dict"),
    (
        "nothing.pth",
        lambda path: torch.save({}, path),
        "is not an AetherNet checkpoint: it is an empty dictionary",
    ),
    (
        "unknown.pth",
        lambda path: torch.save({"a": torch.zeros(1), "b": torch.zeros(1)}, path),
        "it is of no architecture that spandrel knows",
    ),
    (
        "other.pth",
        lambda path: torch.save(
            {f"body.{i}.weight": torch.zeros(1) for i in (0, 1, 2)} | {"body.0.bias": torch.zeros(1)}, path
        ),
        "is not an AetherNet checkpoint: it is ",
    ),
    (
        "damaged.pth",
        lambda path: torch.save(
            {**make_network().state_dict(), "norm.bias": torch.full((12,), torch.nan)}, path
        ),
        ": norm.bias is NaN or infinite in 12 places",
    ),
]


@pytest.mark.parametrize(("name", "write", "message"), FILES, ids=[case[0] for case in FILES])
def test_bad_files_get_one_sentence(
    name: str,
    write: Callable[[Path], object],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    aethernet: Callable[..., Result],
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name
    write(path)
    for command in (["info", path, "--json"], ["fuse", path, "-o", tmp_path / "out.pth"]):
        result = aethernet(*command)
        assert result.code == 1
        assert result.out == ""
        assert len(result.err.splitlines()) == 1
        assert result.err.startswith(f"aethernet: {path}")
        assert any(part in result.err for part in message.split("|"))
    assert [item.name for item in tmp_path.iterdir() if item.name != name] == [], "nothing else, and no pwned"


def test_another_architecture_is_named(aethernet: Callable[..., Result], tmp_path: Path) -> None:
    from spandrel.architectures.SCUNet import SCUNet

    path = tmp_path / "scunet.pth"
    torch.save(SCUNet().state_dict(), path)
    result = aethernet("info", path)
    assert result.code == 1
    assert "is not an AetherNet checkpoint: it is a SCUNet checkpoint" in result.err


def test_a_terminal_without_the_letters_of_a_path_is_no_reason_to_fail(tmp_path: Path) -> None:
    engine = tmp_path / "模型.engine"
    engine.write_bytes(b"ftrt" + bytes(40))
    command = [sys.executable, "-m", "spandrel_aethernet", "info", str(engine)]
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    result = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert result.returncode == 0, result.stderr
    assert rb"\u6a21\u578b.engine" in result.stdout
