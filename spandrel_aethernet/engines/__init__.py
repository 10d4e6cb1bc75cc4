"""TensorRT engines: built ahead of time from ONNX files, each with a description beside it."""

SUFFIX = ".engine"
SUFFIXES = (SUFFIX, ".trt", ".plan")
"""How engines are named by us, and by others too."""
