# SPDX-License-Identifier: GPL-3.0-or-later
"""A chaiNNer package: AetherNet models from a checkpoint to an engine, as nodes.

chaiNNer imports every module here whose name does not begin with `_` and takes it for a node.
"""

from __future__ import annotations

import platform

from api import MB, Dependency, add_package

_COLOR = "#8B6CEF"
_ICON = "MdAutoAwesome"
_ABOUT = (
    "AetherNet is a super-resolution network made for INT8. These nodes read its checkpoints, export them to "
    "ONNX in FP32, FP16 and INT8, build TensorRT engines from them, and make whole releases."
)


def _dependencies() -> list[Dependency]:
    """Return what chaiNNer's own dependency manager may install and remove for these nodes alone."""
    if platform.machine().lower() not in ("x86_64", "amd64") or platform.system() == "Darwin":
        return []
    return [
        Dependency(
            display_name="TensorRT for RTX",
            pypi_name="tensorrt_rtx_cu13",
            version="1.7.1.116",
            size_estimate=230 * MB,
            auto_update=False,
            import_name="tensorrt_rtx",
        )
    ]


package = add_package(
    __file__,
    id="chaiNNer_aethernet",
    name="AetherNet",
    description=_ABOUT,
    dependencies=_dependencies(),
    icon=_ICON,
    color=_COLOR,
)
category = package.add_category(
    name="AetherNet",
    description="Export, calibrate and build AetherNet models; run their engines.",
    icon=_ICON,
    color=_COLOR,
    install_hint=f"{_ABOUT} PyTorch and ONNX must be installed; engines need TensorRT for RTX or TensorRT.",
)
io_group = category.add_node_group("Input & Output")
processing_group = category.add_node_group("Processing")
utility_group = category.add_node_group("Utility")
utility_group.order = [
    "aethernet:info",
    "aethernet:calibrate",
    "aethernet:export_onnx",
    "aethernet:build_engine",
]
