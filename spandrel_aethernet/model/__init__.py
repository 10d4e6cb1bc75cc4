"""A checkpoint's whole life: network, layouts, quantization ranges, fusing, reading and writing."""
