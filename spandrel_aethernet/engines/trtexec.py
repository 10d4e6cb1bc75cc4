"""The command of TensorRT's own tool that builds the same engine."""

from __future__ import annotations

from collections.abc import Sequence

from ..onnx_export.profile import Profile


def trtexec_command(
    onnx_name: str, engine_name: str, profile: Profile, *, input_name: str, channels: int, int8: bool
) -> str:
    """Return the published release's command for a file, with the shapes of `profile`.

    `trtexec` comes with NVIDIA's SDK, not with its wheels. The file's Q/DQ nodes hold all ranges, so no
    calibration cache is named.
    """
    spans = (profile.batch, profile.height, profile.width)
    shapes = {
        "min": _shape([span.minimum for span in spans], channels),
        "opt": _shape([span.usual for span in spans], channels),
        "max": _shape([span.maximum for span in spans], channels),
    }
    flags = [f"--onnx={onnx_name}", f"--saveEngine={engine_name}", *(["--int8"] if int8 else [])]
    flags += [f"--{which}Shapes={input_name}:{shape}" for which, shape in shapes.items()]
    return " ".join(["trtexec", *flags, "--buildOnly", "--verbose"])


def _shape(sizes: Sequence[int], channels: int) -> str:
    batch, height, width = sizes
    return f"{batch}x{channels}x{height}x{width}"
