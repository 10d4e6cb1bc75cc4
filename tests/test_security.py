"""What SECURITY.md says of the limits is what holds, and the report's example does what the report says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from spandrel_aethernet.gate.limits import LIMITS

ROOT = Path(__file__).parents[1]
LOAD = "from spandrel import ModelLoader; ModelLoader().load_state_dict_from_file('model.pth')"


def test_every_limit_is_documented() -> None:
    text = (ROOT / "SECURITY.md").read_text("utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `SPANDREL_AETHERNET_MAX_")]
    assert rows == [f"| `{limit.variable}` | {limit.default} | {limit.meaning} |" for limit in LIMITS]


@pytest.mark.slow
def test_the_report_for_spandrel_is_right_and_the_guard_holds(tmp_path: Path) -> None:
    report = (ROOT / "docs" / "spandrel-report.md").read_text("utf-8")
    example = report.partition("```py\n")[2].partition("```")[0]
    (tmp_path / "example.py").write_text(example, "utf-8")

    def run(*arguments: str) -> int:
        command = [sys.executable, "-W", "ignore", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode

    written = tmp_path / "written-by-a-model"
    assert run("example.py") == 0
    written.unlink(missing_ok=True)
    assert run("-c", f"import spandrel_aethernet; spandrel_aethernet.install(); {LOAD}") != 0
    assert not written.exists()
    run("-c", LOAD)
    assert written.exists()
