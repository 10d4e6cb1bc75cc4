"""AetherNet in spandrel's own loader, and what keeps that loader from running what is in a file.

spandrel 0.4 gives a `.pt` file to `torch.jit.load`, and PyTorch's `torch.load` gives any TorchScript archive
to it, whatever unpickler it was called with: code in such a file runs as it is loaded, and can write files.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

from spandrel import MAIN_REGISTRY, ArchSupport, ModelLoader, StateDict, canonicalize_state_dict
from spandrel.__helpers import unpickler

from ..errors import CheckpointError, Hint
from ..gate.files import read_file
from ..gate.pickles import CodeError
from .arch import AETHERNET_REGISTRY
from .contents import RecordedStateDict, opened
from .io import SUFFIXES, parse_contents

VARIABLE = "SPANDREL_AETHERNET_GUARD"
"""Set to `off` in the environment, it leaves spandrel's loader as it is, whatever is called."""

_SWITCH = Hint(f"if you trust it, set {VARIABLE}=off in the environment and spandrel loads it unguarded")
_TORCH_VERSION = ("torch.torch_version", "TorchVersion")
_INSTALLING = threading.Lock()
_stock_loading = ModelLoader.load_state_dict_from_file


def install(
    *, ignore_duplicates: bool = True, guard: bool = True, torch_version: bool = True
) -> list[ArchSupport]:
    """Add AetherNet to spandrel's `MAIN_REGISTRY`, so that `spandrel.ModelLoader` reads its files.

    Returns what was added. A second call adds nothing, or raises spandrel's `DuplicateArchitectureError`
    where `ignore_duplicates` is False. May be called from any thread.

    With `guard`, every `ModelLoader` of this process reads files of any architecture as `read_state_dict`
    does: tensors are the same, what a file records of its network is not lost, and TorchScript, pickled code,
    tar archives and what is no regular file are refused with `CheckpointError`. False leaves spandrel its own
    reading, or gives it back. With `torch_version` that own reading accepts
    `torch.torch_version.TorchVersion` too, a text with which second-generation releases name their PyTorch;
    False takes it out again.

        spandrel_aethernet.install()
        model = spandrel.ModelLoader().load_from_file("aether_small_2x.pth")
    """
    with _INSTALLING:
        _set_guard(guard)
        (unpickler.safe_list.add if torch_version else unpickler.safe_list.discard)(_TORCH_VERSION)
        return MAIN_REGISTRY.add(*AETHERNET_REGISTRY, ignore_duplicates=ignore_duplicates)


def _set_guard(on: bool) -> None:
    guarded = on and os.environ.get(VARIABLE) != "off"
    ModelLoader.load_state_dict_from_file = _guarded_loading if guarded else _stock_loading


def _guarded_loading(self: ModelLoader, path: str | Path) -> StateDict:
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        return _stock_loading(self, path)
    content = read_file(path, CheckpointError)
    try:
        contents = parse_contents(path, content, self.device)
        return RecordedStateDict(canonicalize_state_dict(contents), opened(contents).config)
    except CheckpointError as error:
        if isinstance(error.__cause__, CodeError):
            raise CheckpointError(error.message.sentence, _SWITCH) from error
        raise
