"""ONNX models from a network: what is quantized, calibration, Q/DQ nodes, verification."""
