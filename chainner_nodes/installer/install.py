# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts our packages, what they need and the way in into chaiNNer's Python."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from . import pip
from .needs import check_chainner, is_chainners, missing_requirements
from .packages import our_packages
from .places import Chainner, check_source
from .python import InstallError, Python, ask, normalised
from .receipt import BOOT, BOOT_LINE, RECEIPT, Receipt, write_whole
from .state import look
from .steps import Say, Step, take, tell
from .undo import undone_on_failure
from .wheel import make_wheel, top_level


class Installation:
    """Our nodes in a Python.

    Raises InstallError if that cannot be: not chaiNNer's Python, too old, not to be written to.
    """

    def __init__(self, python: Python, chainner: Chainner) -> None:
        pip.check_pip(python)
        check_chainner(python)
        if chainner.source is not None:
            check_source(chainner.source)
        check_writable(python)
        self.python = python
        self.before = look(python)
        if self.before.copy is not None:
            raise InstallError(
                f"an earlier version's nodes are in the way in {self.before.copy}: run uninstall first"
            )
        self.requirements = missing_requirements(python)
        self.packages = list(our_packages().values())
        self._wheels: list[Path] = []

    @property
    def is_done(self) -> bool:
        """Whether all of it is there already."""
        return not self.requirements and self.before.is_current

    def run(self, say: Say, *, dry_run: bool) -> None:
        """Take every step, or only tell them. Raises InstallError, after undoing what had been done."""
        if dry_run:
            tell(self._steps(Path()), say)
            return
        with TemporaryDirectory(prefix="chainner-aethernet-") as folder, undone_on_failure(self.before):
            take(self._steps(Path(folder)), say)

    def _steps(self, folder: Path) -> list[Step]:
        site = self.python.site
        steps: list[Step] = []
        if self.requirements:
            aim = f"fetch {', '.join(self.requirements)} and what they need, replacing nothing"
            steps.append(Step(aim, lambda: self._fetch(folder)))
        names = " and ".join(f"{package.name} {package.version}" for package in self.packages)
        return [
            *steps,
            # Before it is added, so that an end in between leaves nothing unknown.
            Step(f"write what is added to {site / RECEIPT}", lambda: self._sign(folder)),
            Step(f"install {names} into {site}", lambda: pip.install(self.python, self._wheels)),
            Step(f"write {site / BOOT}", lambda: write_whole(site / BOOT, BOOT_LINE)),
            Step("check that nothing else was changed", self._check),
        ]

    def _fetch(self, folder: Path) -> None:
        self._wheels = pip.fetch(self.python, self.requirements, folder)
        for wheel in self._wheels:
            if is_chainners(_name(wheel)):
                raise InstallError(
                    f"pip would install {_name(wheel)}, as only chaiNNer may: start chaiNNer, let it update "
                    f"its packages, then try again"
                )

    def _sign(self, folder: Path) -> None:
        self._wheels += [make_wheel(package, folder) for package in self.packages]
        Receipt(self._additions()).write(self.python.site)

    def _additions(self) -> dict[str, list[str]]:
        """Return what was not there before us: by distribution, files and folders in site-packages."""
        added = dict(self.before.receipt.distributions) if self.before.receipt else {}
        for wheel in self._wheels:
            name = _name(wheel)
            if name in added or name not in self.python.own:
                new = {entry for entry in top_level(wheel) if not (self.python.site / entry).exists()}
                added[name] = sorted(new.union(added.get(name, [])))
        return added

    def _check(self) -> None:
        """Raise InstallError if something else was changed, or something is not as it should be."""
        after = ask(self.python.executable)
        ours = {_name(wheel) for wheel in self._wheels}
        changed = [
            name
            for name in after.distributions.keys() | self.python.distributions.keys()
            if name not in ours and after.version_of(name) != self.python.version_of(name)
        ]
        if changed:
            raise InstallError(
                f"pip has changed {', '.join(sorted(changed))}, which it was told to leave alone"
            )
        if absent := sorted(ours - after.own):
            raise InstallError(
                f"pip has not put {', '.join(absent)} into {after.site}: its settings name another place: "
                f"see {after.executable} -m pip config list"
            )
        if not after.booted:
            raise InstallError(
                f"{after.executable} does not read {after.site / BOOT}, by which the nodes get into chaiNNer"
            )


def check_writable(python: Python) -> None:
    """Raise InstallError if nothing can be installed there."""
    if not python.writable:
        raise InstallError(
            f"{python.site} cannot be written to: run this as its owner, or move chaiNNer elsewhere"
        )


def _name(wheel: Path) -> str:
    return normalised(wheel.name.partition("-")[0])
