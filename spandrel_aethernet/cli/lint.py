"""`aethernet lint`: what keeps an ONNX file from running as INT8."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..lint.coverage import NOMINAL_SIDE, Share
from ..lint.linter import LintReport, lint_onnx
from .console import OUT, print_json, print_rows
from .options import add_json, path

EXAMPLES = (
    "aethernet lint aether_small_2x_fp32_int8.onnx",
    "aethernet lint aether_small_2x_fp32_int8.onnx --json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("file", type=path, help=".onnx")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print findings and INT8 coverage; 1 if there are findings."""
    report = lint_onnx(arguments.file)
    if arguments.json:
        print_json(describe(arguments.file, report))
    else:
        _print_text(arguments.file, report)
    return 0 if report.clean else 1


def describe(file: Path, report: LintReport) -> dict[str, Any]:
    """Return a report as one JSON-ready document."""
    coverage = report.coverage
    return {
        "file": str(file),
        "clean": report.clean,
        "errors": len(report.errors),
        "warnings": len(report.warnings),
        "findings": [asdict(finding) for finding in report.findings],
        "int8": {
            "nominal_side": NOMINAL_SIDE,
            **_share(coverage.total),
            "by_kind": {kind: _share(share) for kind, share in coverage.by_kind.items()},
            "unknown": list(coverage.unknown),
        },
    }


def _share(share: Share) -> dict[str, Any]:
    return {**asdict(share), "ratio": share.ratio}


def _print_text(file: Path, report: LintReport) -> None:
    for finding in report.findings:
        OUT.print(f"{finding.rule}  {finding.severity:<7}  {finding.node}: {finding.message}")
        OUT.print(f"{'':<17}{finding.remedy}")
    coverage = report.coverage
    rows = {"INT8": f"{_percent(coverage.total)} of the multiply-adds, at {NOMINAL_SIDE}×{NOMINAL_SIDE}"}
    for kind, share in coverage.by_kind.items():
        rows[f"  {kind}"] = f"{_percent(share)}, {share.int8_operators} of {share.operators} operators"
    if coverage.unknown:
        rows["  not counted"] = f"{len(coverage.unknown)} operators of unknown size"
    print_rows(rows, width=16)
    counts = f"{len(report.errors)} errors, {len(report.warnings)} warnings"
    OUT.print(f"{file}: {'clean' if report.clean else counts}")


def _percent(share: Share) -> str:
    return "unknown part" if share.ratio is None else f"{100 * share.ratio:.1f} %"
