"""The engine of a release: there where TensorRT for RTX is, told how to get where it is not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from spandrel_aethernet.cli.options import option_words
from spandrel_aethernet.engines.runtime import find_runtime
from spandrel_aethernet.engines.sidecar import describe, read_sidecar
from spandrel_aethernet.errors import EngineError
from spandrel_aethernet.files import sha256
from spandrel_aethernet.onnx_export.export import Exported
from spandrel_aethernet.progress import SILENT, Silent
from spandrel_aethernet.release.engine import build_release_engine
from spandrel_aethernet.release.make import make_release

from ..artifacts import Artifacts
from ..conftest import start
from ..engines.networks import with_unknown_operator
from .folders import contents, save_small

pytest.importorskip("skimage")

ENGINE = "aether_tiny_2x_fp16_int8_rtx.engine"
TARGETS = ("8.0", "8.6", "8.9", "12.0", "12.1")


@pytest.fixture
def engine(release: Path) -> Path:
    """The engine of the shared release, made without asking for one."""
    pytest.importorskip("tensorrt_rtx")
    return release / ENGINE


def test_the_engine_is_one_for_all_cards_from_the_released_file(engine: Path) -> None:
    info = read_sidecar(engine)
    assert info is not None, "and it describes the very engine"
    assert (info.runtime, info.targets, str(info.precision)) == ("rtx", TARGETS, "fp16-int8")
    source = engine.with_name("aether_tiny_2x_fp16_int8.onnx")
    assert (info.source, info.source_sha256) == (source.name, sha256(source))


def test_the_report_and_the_checksums_have_it(engine: Path) -> None:
    document = json.loads((engine.parent / "report.json").read_text())
    info = read_sidecar(engine)
    assert info is not None
    assert document["engine"].items() >= json.loads(json.dumps(describe(info))).items()
    source, built = document["files"][-2:]
    assert source["int8_share"] > 0
    assert built == {
        "name": document["engine"]["file"],
        "size": engine.stat().st_size,
        "sha256": info.engine_sha256,
        "precision": "fp16-int8",
        "int8_share": source["int8_share"],
    }
    assert document["engine"]["file"] == ENGINE
    assert [name for name in (engine.parent / "SHA256SUMS").read_text().split() if ENGINE in name] == [
        ENGINE,
        f"{ENGINE}.json",
    ]


def test_the_card_says_what_the_engine_is_for(engine: Path) -> None:
    card = (engine.parent / "README.md").read_text(encoding="utf-8")
    version = find_runtime("rtx").version
    assert f"| `{ENGINE}` | fp16-int8 |" in card
    assert "\n8.0 (A100), 8.6 (GeForce RTX 30), 8.9 (GeForce RTX 40), 12.0 (GeForce RTX 50), 12.1 (" in card
    assert f"tensorrt-rtx-cu13=={version}\naethernet upscale photos/ -o larger/ -m {ENGINE}\n" in card
    assert "Note: not built for 7.5 (GeForce RTX 20)" in card


@pytest.mark.release
def test_without_tensorrt_for_rtx_it_is_said_how_to_get_one(tmp_path: Path, images: Path) -> None:
    source, out = save_small(tmp_path), tmp_path / "out"
    code = """
import sys
sys.modules["tensorrt_rtx"] = None
from spandrel_aethernet.cli import main
sys.exit(main(sys.argv[1:]))
"""
    arguments = ["release", source, "-o", out, "--images", images]
    command = [sys.executable, "-c", code, *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    hint = 'TensorRT for RTX is not installed here: pip install "spandrel-aethernet[rtx]"'
    assert (result.returncode, result.stderr) == (0, f"no engine: {hint}\n")
    held = contents(out)
    assert not [name for name in held if ".engine" in name]
    assert json.loads(held["report.json"])["engine"] is None
    card = held["README.md"].decode()
    assert "\n`aethernet engine mine_2x_fp16_int8.onnx -o mine_2x.engine --target all`.\n" in card


def test_an_engine_that_must_be_and_cannot_is_said_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    with pytest.raises(EngineError, match="TensorRT for RTX is not installed here"):
        make_release(tmp_path / "gone.pth", tmp_path / "out", engine=True)


def test_what_tensorrt_refuses_ends_the_release_with_a_way_out(artifacts: Artifacts, tmp_path: Path) -> None:
    pytest.importorskip("tensorrt_rtx")
    odd = with_unknown_operator(tmp_path / "odd.onnx")
    exported = Exported(onnx.load(odd), artifacts.report("fp16-int8"))
    with pytest.raises(EngineError, match=r"refuses odd\.onnx: ") as raised:
        build_release_engine(exported, odd, progress=SILENT)
    assert raised.value.message.text(option_words).endswith("--no-engine makes the release without it")
    assert [path.name for path in tmp_path.iterdir()] == ["odd.onnx"]


@pytest.mark.release
def test_interrupted_while_tensorrt_builds_nothing_is_left(tmp_path: Path, images: Path) -> None:
    pytest.importorskip("tensorrt_rtx")
    source = save_small(tmp_path)

    class Ends(Silent):
        def poll(self) -> None:
            if list(tmp_path.glob(".*/*_fp16_int8.onnx")):  # the last file before the engine
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_release(source, tmp_path / "out", images=images, progress=Ends())
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.release
@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are POSIX's")
def test_no_room_for_the_engine_leaves_nothing(engine: Path, tmp_path: Path, images: Path) -> None:
    source = save_small(tmp_path)
    sizes = {path.name: path.stat().st_size for path in engine.parent.iterdir()}
    room = sizes.pop(ENGINE) // 2
    assert room > max(sizes.values()), "there is room for all others"
    process = start("release", source, "-o", tmp_path / "out", "--images", images, limit=room)
    _, errors = process.communicate()
    assert process.returncode == 1
    assert errors.startswith("aethernet: ")
    assert "mine_2x_fp16_int8_rtx.engine cannot be written: File too large" in errors
    assert list(tmp_path.iterdir()) == [source]
