"""Engines that are built on first use: built once, found again, built anew where they must be, removed."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx
import pytest
from filelock import FileLock

from spandrel_aethernet.engines.build_plan import BuildOptions
from spandrel_aethernet.engines.cache import (
    FOLDER_VARIABLE,
    cache_folder,
    cached_engine,
    engine_key,
    lock_path,
)
from spandrel_aethernet.engines.cache_entries import cached_engines, clear_engines
from spandrel_aethernet.engines.profile import Shapes
from spandrel_aethernet.engines.runtime import Runtime
from spandrel_aethernet.engines.sidecar import read_sidecar, sidecar_path
from spandrel_aethernet.engines.targets import Gpu
from spandrel_aethernet.errors import ArgumentError, CheckpointError, EngineError, OnnxError, OutputError
from spandrel_aethernet.files import sha256
from spandrel_aethernet.shapes import Range

from .children import Steps, fill_cache, server
from .networks import deep, upscaler

if TYPE_CHECKING:
    from ..artifacts import Artifacts

RTX_30 = BuildOptions(runtime="rtx", targets=["8.6"])
RTX = Runtime("rtx", None, "1.7.0")
CLASSIC = Runtime("tensorrt", None, "10.13.0")
GPU = Gpu("NVIDIA GeForce RTX 3060", "8.6")
needs_rtx = pytest.mark.skipif(not find_spec("tensorrt_rtx"), reason="TensorRT for RTX is not installed")


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A network and a cache with its engine: copied, never changed."""
    folder = tmp_path_factory.mktemp("kept")
    source = upscaler(folder / "small.onnx")
    return source, cached_engine(source, RTX_30, folder=folder / "cache")


@pytest.fixture
def cache(kept: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path]:
    """The same network, and the engine in a copy of the cache."""
    shutil.copytree(kept[1].parent, tmp_path / "cache")
    return kept[0], tmp_path / "cache" / kept[1].name


@needs_rtx
def test_what_was_built_is_found_again(cache: tuple[Path, Path]) -> None:
    source, engine = cache
    info = read_sidecar(engine)
    assert info is not None
    assert (info.source, info.source_sha256, info.targets) == ("small.onnx", sha256(source), ("8.6",))
    assert sorted(engine.parent.iterdir()) == [engine, sidecar_path(engine)]
    before, steps = engine.stat().st_mtime_ns, Steps()
    assert cached_engine(source, RTX_30, folder=engine.parent, progress=steps) == engine
    assert engine.stat().st_mtime_ns == before
    assert steps.begun == []


@needs_rtx
def test_the_same_bytes_under_another_name_are_the_same_network(
    cache: tuple[Path, Path], tmp_path: Path
) -> None:
    source, engine = cache
    other = Path(shutil.copy(source, tmp_path / "other.onnx"))
    before = engine.stat().st_mtime_ns
    assert cached_engine(other, RTX_30, folder=engine.parent) == engine
    assert engine.stat().st_mtime_ns == before


def test_the_key_changes_with_each_part() -> None:
    keys = [
        engine_key("a", RTX, GPU, BuildOptions()),
        engine_key("b", RTX, GPU, BuildOptions()),
        engine_key("a", replace(RTX, version="1.8.0"), GPU, BuildOptions()),
        engine_key("a", CLASSIC, GPU, BuildOptions()),
        engine_key("a", CLASSIC, replace(GPU, name="NVIDIA RTX A2000"), BuildOptions()),
        engine_key("a", RTX, replace(GPU, capability="8.9"), BuildOptions()),
        engine_key("a", RTX, None, BuildOptions()),
        engine_key("a", RTX, GPU, BuildOptions(), precision="fp16"),
        engine_key("a", RTX, GPU, BuildOptions(), weights="raw"),
        engine_key("a", RTX, GPU, BuildOptions(shapes=Shapes(opt="1x3x64x64"))),
        engine_key("a", RTX, GPU, BuildOptions(shapes=Shapes(max="1x3x64x64"))),
        engine_key("a", RTX, GPU, BuildOptions(workspace=64)),
        engine_key("a", RTX, GPU, BuildOptions(optimization_level=1)),
    ]
    assert len(set(keys)) == len(keys)


def test_the_key_stays_with_what_changes_nothing(tmp_path: Path) -> None:
    key = engine_key("a", RTX, GPU, BuildOptions())
    assert engine_key("a", RTX, GPU, BuildOptions(targets="RTX 3060")) == key, "the GPU that is here"
    assert engine_key("a", RTX, replace(GPU, name="A2000"), BuildOptions()) == key
    assert engine_key("a", RTX, GPU, BuildOptions(), precision="fp16-int8") == key, "the default"
    assert engine_key("a", RTX, GPU, BuildOptions(timing_cache=tmp_path / "timings")) == key


@needs_rtx
def test_data_beside_an_onnx_file_belongs_to_it(tmp_path: Path) -> None:
    engines: list[Path] = []
    for seed in range(2):
        model = onnx.load(upscaler(tmp_path / "whole.onnx", seed=seed))
        onnx.save(model, tmp_path / "small.onnx", save_as_external_data=True, location="d", size_threshold=0)
        engines.append(cached_engine(tmp_path / "small.onnx", RTX_30, folder=tmp_path / "cache"))
        (tmp_path / "d").unlink()
    assert engines[0] != engines[1]


@needs_rtx
@pytest.mark.parametrize("damage", ["engine", "description", "no description", "no engine", "other source"])
def test_what_is_damaged_is_built_again(damage: str, cache: tuple[Path, Path]) -> None:
    source, engine = cache
    sidecar = sidecar_path(engine)
    if damage == "engine":
        engine.write_bytes(engine.read_bytes()[:-1])
    elif damage == "description":
        sidecar.write_text("{")
    elif damage == "no description":
        sidecar.unlink()
    elif damage == "no engine":
        engine.unlink()
    else:
        sidecar.write_text(json.dumps(json.loads(sidecar.read_text()) | {"source_sha256": "0" * 64}))
    steps = Steps()
    assert cached_engine(source, RTX_30, folder=engine.parent, progress=steps) == engine
    assert steps.begun
    info = read_sidecar(engine)
    assert info is not None
    assert info.source_sha256 == sha256(source)


@needs_rtx
@pytest.mark.slow
def test_a_checkpoint_is_exported_on_the_way(artifacts: Artifacts, tmp_path: Path) -> None:
    options = replace(RTX_30, shapes=Shapes(max="1x3x64x96", opt="1x3x64x64"))
    made = [
        cached_engine(artifacts.tiny, options, precision=precision, folder=tmp_path)
        for precision in (None, "fp16", "fp16-int8")
    ]
    infos = [read_sidecar(engine) for engine in made]
    assert made[0] == made[2] != made[1]
    assert [str(info.precision) for info in infos if info] == ["fp16-int8", "fp16", "fp16-int8"]
    assert [info.profile.height for info in infos if info] == [Range(32, 64, 64)] * 3


@needs_rtx
@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        ("gone.pth", {}, CheckpointError, "gone.pth cannot be read"),
        ("gone.onnx", {}, OnnxError, "gone.onnx cannot be read"),
        ("notes.txt", {}, EngineError, "notes.txt is not named like an ONNX file or a checkpoint"),
        ("small.onnx", {"precision": "fp16"}, ArgumentError, "small.onnx is no checkpoint"),
        ("small.onnx", {"options": BuildOptions(targets=["Voodoo"])}, EngineError, "'Voodoo' is no GPU"),
    ],
)
def test_what_cannot_be_built_is_said_and_not_kept(
    name: str, options: dict[str, Any], error: type[Exception], message: str, tmp_path: Path
) -> None:
    upscaler(tmp_path / "small.onnx")
    (tmp_path / "notes.txt").write_text("no model")
    with pytest.raises(error, match=message):
        cached_engine(tmp_path / name, **options, folder=tmp_path / "cache")
    assert not (tmp_path / "cache").exists() or not list((tmp_path / "cache").iterdir())


@needs_rtx
def test_a_folder_that_cannot_be_one_is_said(kept: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"file cannot keep engines: .*SPANDREL_AETHERNET_CACHE"):
        cached_engine(kept[0], RTX_30, folder=tmp_path / "file")


@needs_rtx
def test_two_processes_at_once_build_once(tmp_path: Path) -> None:
    source, folder = deep(tmp_path / "deep.onnx", 20), tmp_path / "cache"
    context = server()
    begun = context.Queue()
    children = [
        context.Process(target=fill_cache, args=(source, RTX_30, folder, begun.put)) for _ in range(2)
    ]
    for child in children:
        child.start()
    steps = [begun.get(timeout=120) for _ in children]
    for child in children:
        child.join(60)
        assert child.exitcode == 0
    waited = [one for one in steps if one[:1] == ["waiting for another build"] or not one]
    built = [one for one in steps if one not in waited]
    assert (len(built), len(waited)) == (1, 1)
    assert waited[0] in ([], ["waiting for another build"])
    assert len(cached_engines(folder)) == 1
    assert not list(folder.glob("*.lock"))


@needs_rtx
@pytest.mark.skipif(sys.platform == "win32", reason="a file that is locked cannot be looked at there")
def test_ctrl_c_ends_the_waiting(cache: tuple[Path, Path]) -> None:
    source, engine = cache
    engine.unlink()

    class Ends(Steps):
        def poll(self) -> None:
            raise KeyboardInterrupt

    steps = Ends()
    with FileLock(lock_path(engine)), pytest.raises(KeyboardInterrupt):
        cached_engine(source, RTX_30, folder=engine.parent, progress=steps)
    assert steps.begun == ["waiting for another build"]
    assert not engine.exists()


@needs_rtx
@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kills as on POSIX")
def test_a_killed_build_leaves_nothing_that_is_used_and_no_lock(tmp_path: Path) -> None:
    source, folder = deep(tmp_path / "deep.onnx", 100), tmp_path / "cache"
    context = server()
    child = context.Process(target=fill_cache, args=(source, RTX_30, folder, len))
    child.start()
    ends = time.monotonic() + 60
    while not list(folder.glob("*.lock")):
        assert time.monotonic() < ends
        time.sleep(0.01)
    time.sleep(0.3)
    child.kill()
    child.join()
    assert cached_engines(folder) == []
    steps = Steps()
    engine = cached_engine(source, RTX_30, folder=folder, progress=steps)
    assert "waiting for another build" not in steps.begun
    assert read_sidecar(engine) is not None
    assert sorted(folder.iterdir()) == [engine, sidecar_path(engine)]


@needs_rtx
def test_an_entry_tells_what_it_is(cache: tuple[Path, Path]) -> None:
    _, engine = cache
    os.utime(engine, (1e9, 1e9))
    os.utime(sidecar_path(engine), (1.1e9, 1.1e9))
    (engine.parent / "notes.txt").write_text("not of the cache")
    (entry,) = cached_engines(engine.parent)
    assert (entry.path, entry.source) == (engine, "small.onnx")
    assert entry.size == engine.stat().st_size + sidecar_path(engine).stat().st_size
    assert (entry.built.timestamp(), entry.used.timestamp()) == (1e9, 1.1e9)
    document = json.loads(json.dumps(entry.describe()))
    assert (document["source"], document["targets"]) == ("small.onnx", ["8.6"])


@needs_rtx
def test_using_one_is_noted(cache: tuple[Path, Path]) -> None:
    source, engine = cache
    os.utime(sidecar_path(engine), (1e9, 1e9))
    cached_engine(source, RTX_30, folder=engine.parent)
    (entry,) = cached_engines(engine.parent)
    assert time.time() - entry.used.timestamp() < 60


def fake(folder: Path, digit: str, used: float) -> Path:
    """Put files into a cache that are called as an engine of its own, and are none."""
    engine = folder / f"{digit * 32}.engine"
    engine.write_bytes(b"no engine")
    sidecar_path(engine).write_text("{}")
    os.utime(sidecar_path(engine), (used, used))
    return engine


def test_clearing_takes_all_of_the_cache_and_nothing_else(tmp_path: Path) -> None:
    engine = fake(tmp_path, "a", 1e9)
    lock_path(engine).touch()
    left = lock_path(tmp_path / f"{'b' * 32}.engine")
    left.touch()
    others = [tmp_path / name for name in ("notes.txt", "mine.engine", f"{'a' * 31}.engine")]
    for other in others:
        other.write_text("mine")
    (entry,) = cached_engines(tmp_path)
    assert entry.info is None
    cleared = clear_engines(tmp_path)
    assert [one.path for one in cleared.removed] == [engine]
    assert sorted(tmp_path.iterdir()) == sorted(others)


def test_clearing_by_age_and_by_name(tmp_path: Path) -> None:
    old, new = fake(tmp_path, "a", time.time() - 40 * 86400), fake(tmp_path, "b", time.time())
    assert [one.path for one in clear_engines(tmp_path, unused_days=50).removed] == []
    assert [one.path for one in clear_engines(tmp_path, unused_days=30).removed] == [old]
    with pytest.raises(EngineError, match=r"no engine of other\.pth is kept in"):
        clear_engines(tmp_path, names=[new.name, "other.pth"])
    assert new.exists()
    assert [one.path for one in clear_engines(tmp_path, names=[new.name]).removed] == [new]
    assert list(tmp_path.iterdir()) == []


def test_clearing_leaves_what_is_being_built(tmp_path: Path) -> None:
    engine = fake(tmp_path, "a", 1e9)
    with FileLock(lock_path(engine)):
        assert clear_engines(tmp_path).in_use == [engine]
    assert engine.exists()


def test_a_cache_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert cached_engines(tmp_path / "gone") == []
    assert clear_engines(tmp_path / "gone").removed == []
    assert list(tmp_path.iterdir()) == []


def test_the_environment_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    assert cache_folder().parts[-2:] == ("spandrel-aethernet", "engines") or sys.platform == "win32"
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    assert cache_folder() == tmp_path
