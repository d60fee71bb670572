"""What a person of a round sees of a task: what the source's screen shows, and nothing of what others or the machine
say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element, tostring

from defusedxml.ElementTree import fromstring

from ml_backend.labeling.config import parse

_VARIABLE = re.compile(r"\$([\w.\-\[\]]+)")


def blind_config(xml: str) -> str:
    """The label config without the controls where the machine explains itself. Raises ConfigError for one that cannot
    be read."""
    if not any(control.explanation for control in parse(xml).controls):
        return xml
    root: Element = fromstring(xml, forbid_dtd=True)
    for parent in list(root.iter()):
        for child in list(parent):
            said = {name.lower(): value.lower() for name, value in child.attrib.items()}
            if said.get("tiebreak") == "explanation":
                parent.remove(child)
    blind = tostring(root, encoding="unicode")
    parse(blind)
    return blind


def blind_data(data: Mapping[str, Any], xml: str) -> dict[str, Any]:
    """Of a task's data what this label config shows: other fields may say what somebody thinks of it."""
    shown = set(_VARIABLE.findall(xml))
    shown |= {re.split(r"[.\[]", name, maxsplit=1)[0] for name in shown}
    return {name: value for name, value in data.items() if name in shown}
