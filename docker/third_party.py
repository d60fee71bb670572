"""Writes THIRD_PARTY.md: every package of the locks, with its licence as its own metadata has it.

    python docker/third_party.py    after `make install-dev install-studio`; exit code 1 where a licence is not allowed

A package that is not installed here (it is for another system) keeps the licence that the file had.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageMetadata, distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILE = ROOT / "docker" / "THIRD_PARTY.md"
LOCKS = {
    "requirements.lock": "product",
    "requirements-dev.lock": "development",
    "requirements-studio.lock": "Label Studio",
}
ENVIRONMENTS = (".venv", ".venv-studio")

ALLOWED = frozenset(
    {
        *("0BSD", "Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "CNRI-Python", "HPND"),
        *("ISC", "LLVM-exception", "MIT", "MIT-0", "MIT-CMU", "MPL-2.0", "PSF-2.0", "TCL", "Unlicense", "Zlib"),
    }
)
"""Permissive ones, and MPL-2.0, whose terms end at its own files."""
EXCEPTIONS = {
    "psycopg": "LGPL-3.0; Label Studio's driver of PostgreSQL, unchanged, in its own environment and process",
    "psycopg-binary": "the same",
}
SILENT = {
    "label-studio-sdk": "Apache-2.0",
    "async-timeout": "Apache-2.0",
    "attr": "MIT",
    "httpx2-jsfetch": "BSD-3-Clause",
}
"""Whose installed metadata say nothing, or that only other systems install: read by hand."""
SPDX = {
    "Apache": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "Apache 2.0 License": "Apache-2.0",
    "Apache License": "Apache-2.0",
    "BSD License": "BSD",
    "3-Clause BSD License": "BSD-3-Clause",
    "BSD 3-Clause OR Apache-2.0": "BSD-3-Clause OR Apache-2.0",
    "FreeBSD": "BSD-2-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
_LINE = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
_ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


@dataclass(frozen=True)
class Package:
    name: str
    version: str
    licence: str
    where: str

    @property
    def allowed(self) -> bool:
        """An exception counts in Label Studio's environment only."""
        if self.name in EXCEPTIONS and self.where == "Label Studio":
            return True
        return any(set(re.split(r" AND | WITH ", way.strip("() "))) <= ALLOWED for way in self.licence.split(" OR "))


def locked() -> dict[tuple[str, str], str]:
    """(name, version) -> where it is first needed. PyTorch stands outside the locks, as its builds differ."""
    found = {("torch", re.findall(r'"torch==([^"]+)"', (ROOT / "pyproject.toml").read_text("utf-8"))[0]): "product"}
    for lock, where in LOCKS.items():
        for name, version in _LINE.findall((ROOT / lock).read_text("utf-8")):
            found.setdefault((_normal(name), version), where)
    return found


def listed() -> list[Package]:
    """What the file says."""
    text = FILE.read_text("utf-8") if FILE.exists() else ""
    rows = [Package(*row) for row in _ROW.findall(text)]
    return [row for row in rows if row.name != "package" and not row.name.startswith("-")]


def packages() -> list[Package]:
    known = {it.name: it.licence for it in listed() if it.licence != "not known"} | SILENT | dict(_installed())
    return [Package(*it, known.get(it[0], "not known"), where) for it, where in sorted(locked().items())]


def _installed() -> Iterator[tuple[str, str]]:
    for environment in reversed(ENVIRONMENTS):  # the product's own counts
        for folder in (ROOT / environment).glob("lib/python*/site-packages"):
            for found in distributions(path=[str(folder)]):
                if said := licence(found.metadata):
                    yield _normal(found.metadata["Name"]), said


def licence(metadata: PackageMetadata) -> str:
    """Empty where they say nothing."""
    if expression := metadata.get("License-Expression"):
        return str(expression)
    said = [it.split(" :: ")[-1] for it in metadata.get_all("Classifier") or () if it.startswith("License ::")]
    said = [it for it in said if it not in ("OSI Approved", "DFSG approved")]
    said = said or [line.strip() for line in (metadata.get("License") or "").splitlines()[:1]]
    return " AND ".join(SPDX.get(it, it) for it in said if it)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def page(found: list[Package]) -> str:
    rows = "\n".join(f"| {it.name} | {it.version} | {it.licence} | {it.where} |" for it in found)
    allowed = ", ".join(sorted(ALLOWED))
    reasons = "\n".join(f"- {name}: {why}." for name, why in EXCEPTIONS.items())
    return f"""# Packages of others

Written by `make audit` from the locks and the packages' own metadata. Allowed are {allowed}. The exceptions, each with
its reason:

{reasons}

PyTorch comes as its CPU build. A CUDA build brings NVIDIA's libraries, which have terms of
their own and are not listed.

| package | version | licence | needed by |
|---|---|---|---|
{rows}
"""


def main() -> int:
    found = packages()
    FILE.write_text(page(found), encoding="utf-8", newline="\n")
    wrong = [it for it in found if not it.allowed]
    for it in wrong:
        print(f"{it.name} {it.version} ({it.where}): {it.licence} is not allowed", file=sys.stderr)  # noqa: T201
    print(f"{FILE.relative_to(ROOT)}: {len(found)} packages, {len(wrong)} with a licence not allowed")  # noqa: T201
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
