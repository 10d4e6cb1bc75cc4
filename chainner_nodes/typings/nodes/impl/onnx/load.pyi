# SPDX-License-Identifier: GPL-3.0-or-later
from nodes.impl.onnx.model import OnnxGeneric, OnnxRemBg

def load_onnx_model(model_or_bytes: bytes) -> OnnxGeneric | OnnxRemBg: ...
