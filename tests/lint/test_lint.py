"""The linter against graphs that break one rule each, ONNX's checker and TensorRT for RTX itself."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from onnx import ModelProto, checker, helper, shape_inference

from spandrel_aethernet.lint.linter import RULES, lint_onnx
from spandrel_aethernet.lint.rule import TRIED_WITH
from spandrel_aethernet.lint.rules_file import LAST_RULE

from .cases import BAD, EVERY, GOOD, UGLY
from .graphs import convolution
from .rtx import COMMAND, committed, digest, installed_version, measure

VERDICTS = committed()
SEVERITIES = {rule.id: rule.severity for rule in (*RULES, LAST_RULE)}
BUILT = [*GOOD, *UGLY, *(name for name, (rule, _) in BAD.items() if SEVERITIES[rule] == "warning")]


@pytest.mark.parametrize("name", GOOD)
def test_good_graphs_are_clean(name: str) -> None:
    assert lint_onnx(GOOD[name]()).findings == ()


@pytest.mark.parametrize("name", BAD)
def test_bad_graphs_break_their_rule_and_no_other(name: str) -> None:
    rule, make = BAD[name]
    model = make()
    before = model.SerializeToString()
    report = lint_onnx(model)
    assert {finding.rule for finding in report.findings} == {rule}
    assert model.SerializeToString() == before
    names = {node.name for node in model.graph.node} | {model.graph.name}
    for finding in report.findings:
        assert finding.node in names
        assert finding.message
        assert finding.remedy
    assert not report.clean
    assert bool(report.errors) != bool(report.warnings)


def test_every_rule_has_a_graph_an_id_of_its_own_and_its_reasons() -> None:
    assert len(SEVERITIES) == len(RULES) + 1
    assert set(SEVERITIES) == {rule for rule, _ in BAD.values()}
    assert all(rule.demand and rule.effect and rule.remedy for rule in (*RULES, LAST_RULE))


def test_a_finding_names_node_fault_and_remedy() -> None:
    (first, _) = lint_onnx(convolution(zero=np.int8(3))).findings
    assert (first.rule, first.severity, first.node) == ("QDQ101", "error", "QuantizeLinear_0")
    assert first.message == "its zero point is 3, not 0"
    assert first.remedy.startswith("quantize symmetrically")


def test_a_node_without_a_name_is_named_by_what_it_makes() -> None:
    model = convolution(zero=np.int8(3))
    for node in model.graph.node:
        node.name = ""
    nodes = [finding.node for finding in lint_onnx(model).findings]
    assert nodes == [
        "QuantizeLinear that makes QuantizeLinear_0_out",
        "DequantizeLinear that makes DequantizeLinear_1_out",
    ]


def test_nodes_inside_functions_of_the_file_are_found() -> None:
    model = convolution(zero=np.int8(3))
    graph = model.graph
    opsets = list(model.opset_import)
    body = [helper.make_node("Constant", [], [t.name], value=t) for t in graph.initializer]
    function = helper.make_function(
        "ours", "Body", ["input"], [graph.output[0].name], [*body, *graph.node], opsets
    )
    call = helper.make_node("Body", ["input"], [graph.output[0].name], name="call", domain="ours")
    outer = helper.make_graph([call], "outer", list(graph.input), list(graph.output))
    called = helper.make_model(
        outer, opset_imports=[*opsets, helper.make_opsetid("ours", 1)], functions=[function], ir_version=8
    )
    assert {finding.rule for finding in lint_onnx(called).findings} == {"QDQ101"}


def refused_by_checker(model: ModelProto) -> bool:
    try:
        checker.check_model(model, full_check=True)
    except (checker.ValidationError, shape_inference.InferenceError):
        return True
    return False


@pytest.mark.parametrize("name", EVERY)
def test_what_onnx_checker_refuses_is_an_error(name: str) -> None:
    model = EVERY[name]()
    if refused_by_checker(model):
        assert lint_onnx(model).errors


@pytest.mark.parametrize(
    "name", [name for name, (rule, _) in BAD.items() if rule in ("QDQ112", "QDQ206", "QDQ207", "QDQ208")]
)
def test_what_runs_in_float_does_not_count_as_int8(name: str) -> None:
    assert lint_onnx(EVERY[name]()).coverage.total.ratio == 0


@pytest.mark.parametrize("name", UGLY)
def test_an_operator_after_the_pair_that_needs_floats_takes_int8_away(name: str) -> None:
    report = lint_onnx(UGLY[name]())
    assert {finding.rule for finding in report.findings} == {"QDQ207", "QDQ210"}
    assert report.coverage.total.ratio == 0


@pytest.mark.parametrize("name", EVERY)
def test_errors_are_what_tensorrt_for_rtx_or_onnx_refuses(name: str) -> None:
    model, verdict = EVERY[name](), VERDICTS.verdicts[name]
    refused = not verdict.built or refused_by_checker(model)
    assert bool(lint_onnx(model).errors) == refused, verdict.said


@pytest.mark.parametrize("name", BUILT)
def test_coverage_counts_what_tensorrt_for_rtx_runs_on_int8(name: str) -> None:
    assert lint_onnx(EVERY[name]()).coverage.total.int8_operators == VERDICTS.verdicts[name].int8_products


def test_verdicts_are_of_these_graphs() -> None:
    graphs = {name: digest(make()) for name, make in EVERY.items()}
    changed = [name for name in {*graphs, *VERDICTS.graphs} if graphs.get(name) != VERDICTS.graphs.get(name)]
    assert not changed, f"tests/lint/verdicts.json is stale: run {COMMAND}"
    assert VERDICTS.verdicts.keys() == graphs.keys()


def test_verdicts_are_of_the_version_that_the_rules_name() -> None:
    assert f"TensorRT for RTX {VERDICTS.version}.".startswith(f"{TRIED_WITH}.")


@pytest.mark.slow
def test_tensorrt_for_rtx_still_says_so() -> None:
    if installed_version() != VERDICTS.version:
        pytest.skip(f"verdicts.json is of TensorRT for RTX {VERDICTS.version}: {COMMAND} measures again")
    assert measure(EVERY) == VERDICTS.verdicts


def test_importing_needs_no_onnx_and_using_says_what_installs_it() -> None:
    code = """
import sys
sys.modules["onnx"] = None
from spandrel_aethernet import MissingPackageError, lint_onnx
try:
    lint_onnx(sys.executable)
except MissingPackageError as error:
    print(error)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    expected = 'onnx is not installed here: pip install "spandrel-aethernet[onnx]"\n'
    assert result.stdout == expected, result.stderr
