"""All that needs a GPU: tests and benchmarks, in one JSON document and one table.

    .ci/gpu-tests [FOLDER]

writes results.json and results.md there (default: gpu-results). Without a GPU it says so and ends with 1.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from spandrel_aethernet.data import DEMO_MODEL
from spandrel_aethernet.inference.open import open_model

_BENCHMARKS: dict[str, list[str]] = {
    "forward passes": ["benchmark", str(DEMO_MODEL), "--device", "cuda", "--sizes", "64", "256", "512"],
    "end to end": ["benchmark", "--pipeline", str(DEMO_MODEL), "--device", "cuda", "--frames", "32"],
}


def main(folder: Path) -> int:
    """Run everything and write what came of it; returns 1 without a GPU or if a test failed."""
    if not torch.cuda.is_available():
        print("there is no GPU here: nothing was run", file=sys.stderr)  # noqa: T201
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    document: dict[str, Any] = {"machine": _machine(), "tests": _tests(folder)}
    for name, arguments in _BENCHMARKS.items():
        document[name] = _benchmark(arguments)
    (folder / "results.json").write_text(json.dumps(document, indent=2), encoding="utf-8")
    page = _page(document)
    (folder / "results.md").write_text(page, encoding="utf-8")
    print(page)  # noqa: T201
    return 1 if document["tests"].get("failed") or document["tests"].get("error") else 0


def _machine() -> dict[str, str]:
    major, minor = torch.cuda.get_device_capability()
    driver = subprocess.run(
        ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return {
        "gpu": torch.cuda.get_device_name(),
        "compute capability": f"{major}.{minor}",
        "driver": driver,
        "torch": torch.__version__,
        "cuda": str(torch.version.cuda),
        "demo model": open_model(DEMO_MODEL, device="cuda").description,
    }


def _tests(folder: Path) -> dict[str, int]:
    """Run the tests and return how many passed, failed and were skipped; all they say goes to a file."""
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-q", "-rsfE"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    (folder / "tests.txt").write_text(said.stdout + said.stderr, encoding="utf-8")
    last = said.stdout.strip().splitlines()[-1:] or [""]
    return {word.rstrip("s"): int(number) for number, word in re.findall(r"(\d+) (\w+)", last[0])}


def _benchmark(arguments: list[str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "spandrel_aethernet", *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else {"failed": done.stderr.strip()}


def _page(document: dict[str, Any]) -> str:
    tests = ", ".join(f"{count} {what}" for what, count in document["tests"].items())
    lines = [*(f"- {name}: {value}" for name, value in document["machine"].items()), f"- tests: {tests}", ""]
    lines += ["| input | network | median (ms) | times as fast as the first |", "|---|---|---|---|"]
    for size in document["forward passes"].get("sizes", []):
        for one in size["results"]:
            cells = size["size"], one["contestant"], f"{one['seconds'] * 1e3:.2f}", f"{one['ratio']:.2f}"
            lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "| frames | network | alone (fps) | in memory (fps) | with files (fps) | before (fps) |"]
    lines += ["|---|---|---|---|---|---|"]
    for row in document["end to end"].get("results", []):
        rates = (f"{1 / row[what]:.1f}" for what in ("alone", "memory", "files", "files_before"))
        lines.append(f"| {row['size']} | {row['network']} | {' | '.join(rates)} |")
    lines += [f"- failed: {document[name]['failed']}" for name in _BENCHMARKS if "failed" in document[name]]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(Path(*sys.argv[1:2] or ["gpu-results"])))
