# SPDX-License-Identifier: GPL-3.0-or-later
"""Wheels, written without build tools and without network."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from pathlib import Path, PurePosixPath
from zipfile import ZIP_DEFLATED, ZipFile

from .packages import Package


def make_wheel(package: Package, folder: Path) -> Path:
    """Write a package as a wheel into a folder and return its path."""
    stem = f"{package.name.replace('-', '_')}-{package.version}"
    info = f"{stem}.dist-info"
    contents = {name: path.read_bytes() for name, path in package.files().items()}
    for path in package.licences:
        contents[f"{info}/licenses/{_licence_name(package, path)}"] = path.read_bytes()
    contents[f"{info}/WHEEL"] = _lines(
        "Wheel-Version: 1.0",
        "Generator: chainner_nodes",
        "Root-Is-Purelib: true",
        "Tag: py3-none-any",
    )
    contents[f"{info}/METADATA"] = _metadata(package)
    record = [f"{name},{_digest(content)},{len(content)}" for name, content in contents.items()]
    contents[f"{info}/RECORD"] = _lines(*record, f"{info}/RECORD,,")
    wheel = folder / f"{stem}-py3-none-any.whl"
    with ZipFile(wheel, "w", ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return wheel


def top_level(wheel: Path) -> list[str]:
    """Return the names of the files and folders that a wheel puts into site-packages."""
    names: set[str] = set()
    with ZipFile(wheel) as archive:
        for entry in archive.namelist():
            first, *rest = PurePosixPath(entry).parts
            if not first.endswith(".data"):
                names.add(first)
            elif rest[:1] in (["purelib"], ["platlib"]):
                names.update(rest[1:2])
    return sorted(names)


def _metadata(package: Package) -> bytes:
    return _lines(
        "Metadata-Version: 2.4",
        f"Name: {package.name}",
        f"Version: {package.version}",
        f"Summary: {package.summary}",
        f"License-Expression: {package.licence}",
        *(f"License-File: {_licence_name(package, path)}" for path in package.licences),
        "Requires-Python: >=3.10",
        *(f"Requires-Dist: {requirement}" for requirement in package.requires),
    )


def _licence_name(package: Package, path: Path) -> str:
    """Return a licence's path in the metadata: the one it has in the project, if it lies in the package."""
    inside = package.folder in path.parents and path.parent != package.folder
    return path.relative_to(package.folder.parent).as_posix() if inside else path.name


def _digest(content: bytes) -> str:
    return "sha256=" + urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _lines(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
