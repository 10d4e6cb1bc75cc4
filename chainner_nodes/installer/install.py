# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts our packages, what they need and the way in into chaiNNer's Python."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from . import pip
from .copying import check_target, copy_nodes, copy_target
from .errors import InstallError
from .needs import check_chainner, is_chainners, missing_requirements
from .packages import MODELS, NODES, our_packages
from .places import Chainner, check_source
from .python import Python, ask, normalised
from .receipt import BOOT, BOOT_LINE, RECEIPT, Receipt, write_whole
from .removing import remove
from .state import look
from .steps import Say, Step, take, tell
from .undo import undone_on_failure
from .wheel import make_wheel, top_level


class Installation:
    """Our nodes in a Python, by the boot line or by a copy in chaiNNer's code.

    Raises InstallError if that cannot be: not chaiNNer's Python, too old, not to be written to.
    """

    def __init__(self, python: Python, chainner: Chainner, *, copy: bool) -> None:
        pip.check_pip(python)
        check_chainner(python)
        if chainner.source is not None:
            check_source(chainner.source)
        check_writable(python)
        self.python = python
        self.target = _target(chainner) if copy else None
        self.before = look(python, chainner)
        self.requirements = missing_requirements(python)
        packages = our_packages()
        self.packages = [packages[name] for name in ([MODELS] if copy else [MODELS, NODES])]
        self._wheels: list[Path] = []
        self._added: dict[str, list[str]] = {}

    @property
    def is_done(self) -> bool:
        """Whether all of it is there already."""
        return not self.requirements and self.before.is_current(self.target)

    def run(self, say: Say, *, dry_run: bool) -> None:
        """Take every step, or only tell them. Raises InstallError, after undoing what had been done."""
        if dry_run:
            tell(self._steps(Path()), say)
            return
        with TemporaryDirectory(prefix="chainner-aethernet-") as folder, undone_on_failure(self.before):
            take(self._steps(Path(folder)), say)

    def _steps(self, folder: Path) -> list[Step]:
        site, target = self.python.site, self.target
        steps: list[Step] = []
        if self.requirements:
            aim = f"fetch {', '.join(self.requirements)} and what they need, replacing nothing"
            steps.append(Step(aim, lambda: self._fetch(folder)))
        names = " and ".join(f"{package.name} {package.version}" for package in self.packages)
        steps.append(Step(f"install {names} into {site}", lambda: self._install(folder)))
        if target is None:
            steps.append(Step(f"write {site / BOOT}", lambda: write_whole(site / BOOT, BOOT_LINE)))
        else:
            steps.append(Step(f"copy the nodes to {target}", lambda: copy_nodes(target)))
        steps.append(Step("check that nothing else was changed", self._check))
        return steps + self._removals()

    def _removals(self) -> list[Step]:
        """Return the steps that take away the other way in, if it was there, and sign for the rest."""
        site, before = self.python.site, self.before
        steps = [
            Step(f"remove {copy}", lambda copy=copy: shutil.rmtree(copy))
            for copy in sorted(before.copies - {self.target})
        ]
        if self.target is not None and before.boot is not None:
            steps.append(Step(f"remove {site / BOOT}", (site / BOOT).unlink))
        if self.target is not None and NODES in self.python.own:
            nodes = {NODES: before.receipt.distributions.get(NODES, []) if before.receipt else []}
            steps.append(Step(f"uninstall {NODES}", lambda: remove(self.python, nodes)))
        return [*steps, Step(f"write what was added to {site / RECEIPT}", self._sign)]

    def _fetch(self, folder: Path) -> None:
        self._wheels = pip.fetch(self.python, self.requirements, folder)
        for wheel in self._wheels:
            if is_chainners(_name(wheel)):
                raise InstallError(
                    f"pip would install {_name(wheel)}, as only chaiNNer may: start chaiNNer, let it update "
                    f"its packages, then try again"
                )

    def _install(self, folder: Path) -> None:
        self._wheels += [make_wheel(package, folder) for package in self.packages]
        self._added = self._additions()
        # Signed for before it is done, with both ways in, so that an end in between leaves nothing unknown.
        copy = self.target or next(iter(self.before.copies), None)
        Receipt(self._added, copy and str(copy)).write(self.python.site)
        pip.install(self.python, self._wheels)

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
        if self.target is None and not after.booted:
            raise InstallError(f"{after.executable} does not read {after.site / BOOT}: use --copy")

    def _sign(self) -> None:
        gone = {NODES} if self.target is not None else set[str]()
        added = {name: entries for name, entries in self._added.items() if name not in gone}
        Receipt(added, self.target and str(self.target)).write(self.python.site)


def check_writable(python: Python) -> None:
    """Raise InstallError if nothing can be installed there."""
    if not python.writable:
        raise InstallError(
            f"{python.site} cannot be written to: run this as its owner, or move chaiNNer elsewhere"
        )


def _target(chainner: Chainner) -> Path:
    if chainner.source is None:
        raise InstallError(
            "--copy needs to know where chaiNNer is installed: give its folder with --chainner"
        )
    target = copy_target(chainner.source)
    check_target(target)
    return target


def _name(wheel: Path) -> str:
    return normalised(wheel.name.partition("-")[0])
