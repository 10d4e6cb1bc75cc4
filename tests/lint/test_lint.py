"""The linter against graphs that break one rule each, ONNX's checker and TensorRT for RTX itself."""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, checker, external_data_helper, helper, shape_inference

from spandrel_aethernet.cli import lint as lint_command
from spandrel_aethernet.errors import OnnxError
from spandrel_aethernet.lint.linter import RULES, lint_file, lint_model
from spandrel_aethernet.lint.rules_file import LAST_RULE

from .draft import OUT, Draft
from .graphs import convolution, depthwise, feed_forward, gemm, product
from .rtx import Verdict, verdicts
from .verdicts import BAD, GOOD, UGLY

EVERY: Mapping[str, Callable[[], ModelProto]] = GOOD | {name: make for name, (_, make) in BAD.items()} | UGLY
SEVERITIES = {rule.id: rule.severity for rule in (*RULES, LAST_RULE)}
BUILT = [*GOOD, *UGLY, *(name for name, (rule, _) in BAD.items() if SEVERITIES[rule] == "warning")]


@pytest.mark.parametrize("name", GOOD)
def test_good_graphs_are_clean(name: str) -> None:
    assert lint_model(GOOD[name]()).findings == ()


@pytest.mark.parametrize("name", BAD)
def test_bad_graphs_break_their_rule_and_no_other(name: str) -> None:
    rule, make = BAD[name]
    model = make()
    before = model.SerializeToString()
    report = lint_model(model)
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
    assert all(rule.check.__doc__ for rule in (*RULES, LAST_RULE))


def test_a_finding_names_node_fault_and_remedy() -> None:
    (first, _) = lint_model(convolution(zero=np.int8(3))).findings
    assert (first.rule, first.severity, first.node) == ("QDQ101", "error", "QuantizeLinear_0")
    assert first.message == "its zero point is 3, not 0"
    assert first.remedy.startswith("quantize symmetrically")


def test_a_node_without_a_name_is_named_by_what_it_makes() -> None:
    model = convolution(zero=np.int8(3))
    for node in model.graph.node:
        node.name = ""
    nodes = [finding.node for finding in lint_model(model).findings]
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
    assert {finding.rule for finding in lint_model(called).findings} == {"QDQ101"}


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
        assert lint_model(model).errors


@pytest.mark.parametrize(
    "name", [name for name, (rule, _) in BAD.items() if rule in ("QDQ112", "QDQ206", "QDQ207", "QDQ208")]
)
def test_what_runs_in_float_does_not_count_as_int8(name: str) -> None:
    assert lint_model(EVERY[name]()).coverage.total.ratio == 0


@pytest.mark.parametrize("name", UGLY)
def test_an_operator_after_the_pair_that_needs_floats_takes_int8_away(name: str) -> None:
    report = lint_model(UGLY[name]())
    assert {finding.rule for finding in report.findings} == {"QDQ207", "QDQ210"}
    assert report.coverage.total.ratio == 0


@pytest.fixture(scope="module")
def verdict_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Verdict]:
    """What TensorRT for RTX makes of every graph."""
    if importlib.util.find_spec("tensorrt_rtx") is None:
        pytest.skip("tensorrt_rtx is not installed here")
    folder = tmp_path_factory.mktemp("graphs")
    files = {name: folder / f"{number}.onnx" for number, name in enumerate(EVERY)}
    for name, file in files.items():
        onnx.save(EVERY[name](), file)
    found = verdicts(list(files.values()))
    return lambda name: found[files[name]]


@pytest.mark.parametrize("name", EVERY)
def test_errors_are_what_tensorrt_for_rtx_or_onnx_refuses(
    name: str, verdict_of: Callable[[str], Verdict]
) -> None:
    model, verdict = EVERY[name](), verdict_of(name)
    refused = not verdict.built or refused_by_checker(model)
    assert bool(lint_model(model).errors) == refused, verdict.said


@pytest.mark.parametrize("name", BUILT)
def test_coverage_counts_what_tensorrt_for_rtx_runs_on_int8(
    name: str, verdict_of: Callable[[str], Verdict]
) -> None:
    assert lint_model(EVERY[name]()).coverage.total.int8_operators == verdict_of(name).int8_products


def test_coverage_of_each_kind_is_in_multiply_adds() -> None:
    area = 256 * 256
    both = lint_model(feed_forward()).coverage
    assert both.by_kind["Conv"].multiply_adds == area * 8 * 8 * 9
    assert (
        both.by_kind["MatMul"].multiply_adds
        == both.by_kind["MatMul"].int8_multiply_adds
        == 2 * area * 8 * OUT
    )
    assert both.by_kind["MatMul"].int8_operators == 2
    assert both.total.ratio == 1
    assert lint_model(depthwise()).coverage.by_kind["depthwise Conv"].multiply_adds == area * 8 * 9
    assert lint_model(gemm(0, transposed=True)).coverage.by_kind["Gemm"].multiply_adds == 8 * OUT
    assert lint_model(product(0, left=True)).coverage.total.multiply_adds == OUT * 64 * (area * 8 // 64)


def test_coverage_weighs_operators_by_their_work() -> None:
    draft = Draft()
    small = draft.conv(draft.qdq("input"), draft.weight((8, 8, 3, 3)))
    share = lint_model(draft.model(draft.conv(small, draft.floats(24, 8, 3, 3)))).coverage.total
    assert (share.operators, share.int8_operators) == (2, 1)
    assert share.ratio == 0.25


def test_coverage_says_what_it_could_not_count() -> None:
    draft = Draft()
    wild = draft.node("Compress", "input", draft.constant(np.ones(8, bool)), axis=1)
    wild = draft.node("NonZero", draft.node("Cast", wild, to=TensorProto.INT64))
    made = draft.node("MatMul", draft.node("Cast", wild, to=TensorProto.FLOAT), draft.floats(4, 4))
    coverage = lint_model(draft.model(made)).coverage
    assert coverage.unknown == ("MatMul_4",)
    assert coverage.total.ratio is None


def test_the_shape_a_file_fixes_is_counted_as_it_is() -> None:
    model = convolution()
    for axis, size in ((0, 2), (2, 32), (3, 48)):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_value = size
    assert lint_model(model).coverage.total.multiply_adds == 2 * 32 * 48 * OUT * 8 * 9


def save_with_external_data(path: Path, location: str = "weights.bin") -> ModelProto:
    """Write a Conv whose weight lies in a file beside it; `location` is what the file says about that."""
    model = convolution()
    weight = next(tensor for tensor in model.graph.initializer if len(tensor.dims) == 4)
    (path.parent / "weights.bin").write_bytes(weight.raw_data)
    external_data_helper.set_external_data(weight, location)
    weight.ClearField("raw_data")
    path.write_bytes(model.SerializeToString())
    return model


def test_external_data_beside_the_file_are_read(tmp_path: Path) -> None:
    model = save_with_external_data(tmp_path / "model.onnx")
    assert lint_file(tmp_path / "model.onnx") == lint_model(convolution())
    with pytest.raises(OnnxError, match="constant_5 lies in another file"):
        lint_model(model)


def move_weights_out(path: Path) -> None:
    save_with_external_data(path)
    outside = path.parent.parent / f"{path.parent.name}.bin"
    (path.parent / "weights.bin").rename(outside)
    (path.parent / "weights.bin").symlink_to(outside)


def lose_weights(path: Path) -> None:
    save_with_external_data(path)
    (path.parent / "weights.bin").unlink()


def cut_weights(path: Path) -> None:
    save_with_external_data(path)
    (path.parent / "weights.bin").write_bytes(b"too short")


def damage(path: Path) -> None:
    model = convolution()
    model.graph.initializer[0].raw_data = b"\0"
    path.write_bytes(model.SerializeToString())


def lose_outputs(path: Path) -> None:
    model = convolution()
    del model.graph.node[0].output[:]
    path.write_bytes(model.SerializeToString())


WHOLE = convolution().SerializeToString()
FILES: list[tuple[str, Callable[[Path], object], str]] = [
    ("none.onnx", lambda _path: None, "cannot be read: No such file"),
    ("folder.onnx", lambda path: path.mkdir(), "cannot be read: "),
    ("empty.onnx", lambda path: path.write_bytes(b""), "is empty"),
    (
        "truncated.onnx",
        lambda path: path.write_bytes(WHOLE[: len(WHOLE) // 2]),
        "is truncated or no ONNX file",
    ),
    ("text.onnx", lambda path: path.write_text("hello, this is text"), "is truncated or no ONNX file"),
    ("picture.onnx", lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" * 9), "is truncated or no ONNX file"),
    (
        "tensor.onnx",
        lambda path: path.write_bytes(convolution().graph.initializer[0].SerializeToString()),
        "no ONNX",
    ),
    ("damaged.onnx", damage, ": constant_0 is damaged"),
    ("halved.onnx", lose_outputs, ": the model is damaged, ONNX's checker says: "),
    ("above.onnx", lambda path: save_with_external_data(path, "../secret.bin"), "outside its own folder"),
    ("absolute.onnx", lambda path: save_with_external_data(path, "/etc/hosts"), "outside its own folder"),
    ("link.onnx", move_weights_out, "outside its own folder"),
    ("lost.onnx", lose_weights, "keeps constant_5 in weights.bin, which cannot be read"),
    ("cut.onnx", cut_weights, ": constant_5 is damaged"),
]


@pytest.mark.parametrize(("name", "write", "message"), FILES, ids=[case[0] for case in FILES])
def test_unreadable_files_get_one_sentence(
    name: str, write: Callable[[Path], object], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "folder" / name
    path.parent.mkdir()
    write(path)
    with pytest.raises(OnnxError, match=message) as raised:
        lint_file(path)
    assert str(raised.value).startswith(str(path))
    assert "\n" not in str(raised.value)


def test_importing_needs_no_onnx_and_using_names_it() -> None:
    code = """
import sys
sys.modules["onnx"] = None
from pathlib import Path
from spandrel_aethernet.cli import lint
try:
    lint.lint_file(Path(sys.executable))
except ModuleNotFoundError as error:
    print(error.name)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.stdout == "onnx\n", result.stderr


def run_lint(*arguments: object) -> int:
    """Run the command as `aethernet lint` does."""
    parser = argparse.ArgumentParser()
    lint_command.add_parser(parser.add_subparsers())
    parsed = parser.parse_args(["lint", *map(str, arguments)])
    return parsed.run(parsed)


@pytest.mark.parametrize(
    ("make", "code", "counts"),
    [
        (convolution, 0, (0, 0)),
        (lambda: convolution(zero=np.int8(3)), 1, (2, 0)),
        (lambda: convolution(zero=np.uint8(0)), 1, (0, 2)),
    ],
    ids=["clean", "errors", "warnings"],
)
def test_command_reports_as_text_and_json(
    make: Callable[[], ModelProto],
    code: int,
    counts: tuple[int, int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(make(), path)
    assert run_lint(path, "--json") == code
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (document["errors"], document["warnings"]) == counts
    assert document["clean"] is (code == 0)
    assert len(document["findings"]) == sum(counts)
    assert all(
        set(finding) == {"rule", "severity", "node", "message", "remedy"} for finding in document["findings"]
    )
    assert document["int8"]["ratio"] == document["int8"]["by_kind"]["Conv"]["ratio"] == 1
    assert run_lint(path) == code
    text = capsys.readouterr().out
    assert "100.0 % of the multiply-adds" in text
    assert text.rstrip().endswith("clean" if code == 0 else f"{counts[0]} errors, {counts[1]} warnings")
    for finding in document["findings"]:
        assert finding["remedy"] in text
        assert f"{finding['node']}: {finding['message']}" in text
