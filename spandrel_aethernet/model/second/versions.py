"""The sub-versions of the second generation with other arithmetic, told by their keys and refused by name."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ...errors import CheckpointError

RECORDS = frozenset({"model_version", "pt_version"})
"""Entries with which early files of 3.1 record their version."""
_GIVE = "only the final form, 3.1.1, is read: give a release of that"


def refuse_other_versions(tensors: Mapping[str, Tensor]) -> None:
    """Raise `CheckpointError`, which names the version, for a network that is not the final form."""
    if RECORDS & tensors.keys():
        version = _recorded(tensors)
        if version == "3.1.1" and not any(key.endswith(".running_var") for key in tensors):
            return  # early ones differ in an epsilon that fused norms hold no more
        raise CheckpointError(f"this is AetherNet {version}, early, whose norms compute otherwise: {_GIVE}")
    if "scale_tensor" in tensors:
        return
    version = _older(tensors)
    raise CheckpointError(f"this is AetherNet {version}, a network with other arithmetic: {_GIVE}")


def _recorded(tensors: Mapping[str, Tensor]) -> str:
    version = tensors.get("model_version")
    if version is None or version.numel() != 3 or version.is_meta:
        return "3.1"
    return ".".join(str(int(part)) for part in version.flatten())


def _older(tensors: Mapping[str, Tensor]) -> str:
    """Return the version of a file without `scale_tensor`."""
    if any(key.startswith(("quant_fusion_layer.conv.", "upsample.upsample.")) for key in tensors):
        return "2.0.0"
    before_upsample = tensors.get("conv_before_upsample.0.weight")
    shape = (0, 1) if before_upsample is None else before_upsample.shape
    if len(shape) > 1 and shape[0] == shape[1] // 2:
        return "of June 2025, a prototype"
    if "scale" in tensors:
        return "1.1 or 1.2"
    return "1.0 or older, or its scale_tensor is missing"
