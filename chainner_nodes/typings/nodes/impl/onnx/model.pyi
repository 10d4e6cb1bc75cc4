# SPDX-License-Identifier: GPL-3.0-or-later
class OnnxInfo:
    input_channels: int | None

class OnnxGeneric:
    bytes: bytes
    info: OnnxInfo

class OnnxRemBg:
    bytes: bytes
