"""The file that keeps timings, written and read through TensorRT's own objects.

TensorRT for RTX keeps no timings, but its caches have the same interface, and hold a few bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spandrel_aethernet.engines.timing_cache import cache_file, load_timings, save_timings

from .children import save_often, server

rtx: Any = pytest.importorskip("tensorrt_rtx")


@pytest.fixture
def config() -> Iterator[Any]:
    builder = rtx.Builder(rtx.Logger(rtx.Logger.INTERNAL_ERROR))
    yield builder.create_builder_config()
    del builder


def test_version_and_gpu_are_in_its_name() -> None:
    path = cache_file(Path("cache/timings.bin"), "10.13.0.35", "NVIDIA GeForce RTX 4070 Ti/SUPER")
    assert path == Path("cache/timings.10.13.0.35-nvidia-geforce-rtx-4070-ti-super.bin")


@pytest.mark.filterwarnings("ignore:Use Deprecated in TensorRT-RTX:DeprecationWarning")
def test_what_is_saved_is_loaded_and_damage_is_no_end(tmp_path: Path, config: Any) -> None:
    path = tmp_path / "new" / "timings.bin"
    save_timings(config, path)
    assert not path.exists(), "there is nothing to save"
    load_timings(config, path)
    save_timings(config, path)
    content = path.read_bytes()
    assert content
    path.write_bytes(b"no timings")
    load_timings(config, path)
    save_timings(config, path)
    assert path.read_bytes() == content


@pytest.mark.filterwarnings("ignore:Use Deprecated in TensorRT-RTX:DeprecationWarning")
def test_builds_at_the_same_time_leave_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "timings.bin"
    save_often(path, 1)
    whole = path.read_bytes()
    processes = [server().Process(target=save_often, args=(path, 100)) for _ in range(3)]
    for process in processes:
        process.start()
    while any(process.is_alive() for process in processes):
        assert path.read_bytes() == whole
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert [item.name for item in tmp_path.iterdir()] == ["timings.bin"]
