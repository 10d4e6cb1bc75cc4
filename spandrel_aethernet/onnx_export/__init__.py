"""ONNX files from a network: plan, calibration, Q/DQ nodes, verification, lint."""
