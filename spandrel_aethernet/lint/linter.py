"""What an ONNX file must hold for TensorRT to run it as INT8: rules, findings, INT8 coverage.

The rules are those of TensorRT's explicit quantization. Each was tried with the parser and the builder of
`TRIED_WITH`. Where these accept what the documentation refuses, the rule warns.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import OnnxError
from ..onnx_model.bounds import check_bounds
from ..onnx_model.graph import OnnxGraph
from ..onnx_model.read import read_model
from . import rules_file, rules_placement, rules_scales
from .coverage import Coverage, int8_coverage, uncounted
from .rule import Finding, Rule

if TYPE_CHECKING:
    from onnx import ModelProto

RULES = (*rules_file.RULES, *rules_scales.RULES, *rules_placement.RULES)
"""Every rule but `rules_file.LAST_RULE`, in the order findings are listed."""

_RUNS_IN_FLOAT = ("QDQ112", "QDQ206")
"""Rules whose violation makes TensorRT run a product in float though both its factors are quantized."""


@dataclass(frozen=True)
class LintReport:
    """What was found in one model."""

    findings: tuple[Finding, ...]
    coverage: Coverage

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings for which TensorRT or ONNX refuse the model."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that cost INT8, speed or accuracy."""
        return tuple(finding for finding in self.findings if finding.severity == "warning")

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


def lint_onnx(source: str | Path | ModelProto) -> LintReport:
    """Check an ONNX file, or a model that holds its tensors' data and is not changed.

    Nodes inside the bodies of If and Loop are not looked at. Raises `OnnxError` for a file that cannot be
    read whole and for a damaged model, `MissingPackageError` without the package `onnx`.

        report = lint_onnx("model.onnx")
        print(report.clean, report.coverage.total.ratio)
    """
    if not isinstance(source, str | Path):
        check_bounds(source)
        return _lint_model(source)
    path = Path(source)
    model = read_model(path)
    try:
        return _lint_model(model)
    except OnnxError as error:
        raise OnnxError(f"{path}: {error.message.sentence}", error.message.hint) from error


def _lint_model(model: ModelProto) -> LintReport:
    try:
        return _lint(_without_functions(model) if model.functions else model)
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError) as error:
        if isinstance(error, OnnxError):
            raise
        said = rules_file.checker_says(model) or f"nothing of it ({type(error).__name__})"
        raise OnnxError(f"the model is damaged, ONNX's checker says: {said}") from error


def _without_functions(model: ModelProto) -> ModelProto:
    """Return the model with its functions put where they are called. Raises `OnnxError`."""
    from onnx.checker import ValidationError
    from onnx.inliner import inline_local_functions

    try:
        return inline_local_functions(model)
    except (ValidationError, RuntimeError, ValueError, IndexError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise OnnxError(f"its functions cannot be put where they are called: {reason}") from error


def _lint(model: ModelProto) -> LintReport:
    graph = OnnxGraph(model)
    findings = [finding for rule in RULES for finding in _apply(rule, graph)]
    invalid = _apply(rules_file.LAST_RULE, graph)
    if not any(finding.severity == "error" for finding in findings):
        findings += invalid
    in_float = {finding.node for finding in findings if finding.rule in _RUNS_IN_FLOAT}
    # Shape inference is safe on valid models only: some others crash it.
    coverage = uncounted(graph) if invalid else int8_coverage(graph, in_float)
    return LintReport(tuple(findings), coverage)


def _apply(rule: Rule, graph: OnnxGraph) -> list[Finding]:
    return [
        Finding(rule.id, rule.severity, violation.node, violation.message, rule.remedy)
        for violation in rule.check(graph)
    ]
