"""The errors this package raises: every message is one sentence a user can act on."""

from __future__ import annotations


class AetherError(Exception):
    """Base of every error raised on purpose; the command line prints its message and exits with 1."""


class CheckpointError(AetherError, ValueError):
    """A checkpoint that cannot be read, or is not a whole AetherNet checkpoint."""


class ImageError(AetherError, ValueError):
    """An image that cannot be read, or that no network can take."""


class OutputError(AetherError, OSError):
    """A target that cannot be written, or that exists and was not to be replaced."""


class OnnxError(AetherError, ValueError):
    """An ONNX file that cannot be read, or is not what it should be."""


class EngineError(AetherError, ValueError):
    """A TensorRT engine that cannot be built, read or run here."""
