"""YAML front matter of a README.md, as `datasets` and the Hub read it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

_FOLDED = re.compile("[\x85\u2028\u2029]")
"""Line ends to YAML: PyYAML writes them into single quotes, where they are read as blanks."""


class _Dumper(yaml.SafeDumper):
    """Keeps every character of a text."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if _FOLDED.search(text) else None)


_Dumper.add_representer(str, _text)


def front_matter(fields: Mapping[str, Any]) -> str:
    """With the dashes above and below."""
    text = yaml.dump(dict(fields), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**9)
    return f"---\n{text}---\n"
