"""What an ONNX file must hold for TensorRT to run it as INT8, one rule each."""
