"""ONNX models in memory: reading, walking, shapes, metadata. Knows no exporter."""
