"""TensorRT engines: built ahead of time from ONNX models, each with a description beside it."""

from ..precision import Precision

SUFFIX = ".engine"
SUFFIXES = (SUFFIX, ".trt", ".plan")
"""How engines are named by us, and by others too."""
DEFAULT_PRECISION = Precision("fp16", int8=True)
"""What a network is exported in on the way to an engine, if nothing else is asked for."""
