"""TensorRT engines: built ahead of time from ONNX files, each with a description beside it."""
