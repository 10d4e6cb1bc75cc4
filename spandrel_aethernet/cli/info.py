"""`aethernet info`: what a checkpoint or an engine is."""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..engines import SUFFIXES
from .console import ERR, print_json, print_rows
from .engine_info import tell_engine
from .options import add_json, path

if TYPE_CHECKING:
    from ..model.checkpoint import Checkpoint

EXAMPLES = (
    "aethernet info aether_small_2x.pth",
    "aethernet info aether_small_2x_fused.safetensors --json",
    "aethernet info aether_small_2x.engine",
)


_SOURCES = {
    "arch_config": "recorded in the file",
    "variant": "no tensor tells it; that of the published variant",
    "assumed": "no tensor tells it; assumed",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("file", type=path, help=".pth, .pt, .ckpt, .safetensors, .engine, .trt or .plan")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print what the file is."""
    if arguments.file.suffix.lower() in SUFFIXES:
        tell_engine(arguments.file, as_json=arguments.json)
        return 0
    from ..model.checkpoint import read_checkpoint
    from ..model.io import named, read_checkpoint_file

    with named(arguments.file):
        checkpoint = read_checkpoint(read_checkpoint_file(arguments.file).contents, weights="raw")
    document = describe(arguments.file, checkpoint)
    if arguments.json:
        print_json(document)
    else:
        _print_text(document)
    return 0


def describe(file: Path, checkpoint: Checkpoint) -> dict[str, Any]:
    """Return everything known about a checkpoint as one JSON-ready document."""
    info, ranges, network = checkpoint.info, checkpoint.ranges, checkpoint.network()
    hyperparameters = {**network.hyperparameters, "depths": list(info.hyperparameters["depths"])}
    if hyperparameters["fused"]:
        hyperparameters["sk_kernel"] = None
    return {
        "file": str(file),
        "architecture": info.generation.name,
        "layout": info.layout,
        "fused": info.fused,
        "qat": info.qat,
        "variant": info.variant,
        "scale": network.scale,
        "dtype": str(info.dtype).removeprefix("torch."),
        "parameters": info.parameters,
        "hyperparameters": hyperparameters,
        "sources": dict(info.sources),
        "warning": info.warning,
        "receptive_radius": network.receptive_radius,
        "trained_ranges": ranges
        and {
            "activations": {
                point: [span.min, span.max] for point, span in sorted(ranges.activations.items())
            },
            "weight_scales": {module: len(scales) for module, scales in sorted(ranges.weight_scales.items())},
            "calibrated_inputs": dict(sorted(ranges.calibrated_inputs.items())),
        },
    }


def _print_text(document: dict[str, Any]) -> None:
    hp = document["hyperparameters"]
    kernels = f"{hp['lk_kernel']} and {hp['sk_kernel'] or 'a small one that a fused file does not tell'}"
    ranges = document["trained_ranges"]
    rows = {
        "file": document["file"],
        "architecture": f"{document['architecture']}, {document['variant']}",
        "layout": document["layout"],
        "scale": f"{document['scale']}x",
        "channels": hp["in_chans"],
        "parameters": f"{document['parameters']:,}",
        "dtype": document["dtype"],
        "embed_dim": hp["embed_dim"],
        "depths": " ".join(map(str, hp["depths"])),
        "mlp_ratio": f"{hp['mlp_ratio']:g}",
        "kernels": kernels,
        **_second_generation(hp),
        **{
            name: f"{hp[name]:g} ({_SOURCES[source]})" for name, source in sorted(document["sources"].items())
        },
        "receptive field": _reach(document["receptive_radius"]),
        "trained ranges": "present" if ranges else "none",
    }
    if ranges:
        rows["  activations"] = _grouped(ranges["activations"])
        rows["  int8 weights"] = _grouped(ranges["weight_scales"])
        rows["  calibrated"] = _grouped(ranges["calibrated_inputs"])
    print_rows(rows, width=15)
    if document["warning"]:
        ERR.print(f"warning: {document['warning']}")


def _second_generation(hyperparameters: dict[str, Any]) -> dict[str, str]:
    """Return the rows that only the second generation has."""
    if "norm" not in hyperparameters:
        return {}
    attention = [kind for kind in ("channel", "spatial") if hyperparameters[f"{kind}_attn"]]
    return {"norm": hyperparameters["norm"], "attention": " and ".join(attention) or "none"}


def _reach(radius: int | None) -> str:
    if radius is None:
        return "the whole image (channel attention): in tiles the result is another, if a near one"
    return f"{radius} pixels in radius: tiles that overlap by so much are exact"


def _grouped(points: Iterable[str]) -> str:
    """Write `layers.0.0.norm`, `layers.0.1.norm` … as `16 layers.*.norm`."""
    groups = Counter(re.sub(r"(layers|stages)\.\d+\.\d+", r"\1.*", point) for point in points)
    return ", ".join(f"{count} × {name}" if count > 1 else name for name, count in groups.items()) or "none"
