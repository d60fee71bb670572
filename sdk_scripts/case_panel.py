"""What a case library has beside its source's label config: the panel where people say what a case is for, and why."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from defusedxml.ElementTree import fromstring

from ml_backend.cases import CLAUSE, EXPIRES, MAX_WORDS, RATIONALE, USE, USES
from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.errors import ConfigError
from ml_backend.labeling.kinds import Region, region

_HINTS = {
    "precedent": "Shown to whoever decides a case like it, people or model.",
    "gold": "A test question for annotators.",
    "regression": "A new model may not answer it wrong where the one before answered right.",
}


def library_config(source: str) -> str:
    """A source's label config with the panel below it.

    Nothing is required there: a case answers one control of several. Raises ConfigError for a config that cannot be
    read, asks nothing, or has a control of one of the panel's names.
    """
    config = parse(source)
    if not config.controls:
        raise ConfigError(
            "The label config asks nothing, so there is nothing to settle.", mend="Give the project a control first."
        )
    root: Element = fromstring(source, forbid_dtd=True)
    for element in root.iter():
        for name in [name for name in element.attrib if name.lower() == "required"]:
            del element.attrib[name]
    if root.tag != "View":
        whole = Element("View")
        whole.append(root)
        root = whole
    root.append(_panel(config.controls[0].to_name))
    xml = tostring(root, encoding="unicode")
    parse(xml)
    return xml


def panel_regions(
    library: LabelConfig, *, uses: Iterable[str] = (), clause: str = "", rationale: str = "", expires: str = ""
) -> list[Region]:
    """What the panel says, as regions of a library's annotation; what is empty has none."""
    said: dict[str, dict[str, Any]] = {
        USE: {"choices": [use for use in USES if use in set(uses)]},
        CLAUSE: {"text": [clause.strip()[:MAX_WORDS]]},
        RATIONALE: {"text": [rationale.strip()[:MAX_WORDS]]},
        EXPIRES: {"datetime": expires},
    }
    return [region(library[name], value, id=name) for name, value in said.items() if any(next(iter(value.values())))]


def _panel(about: str) -> Element:
    panel = Element("View", {"style": "border-top: 1px solid #ddd; margin-top: 1rem; padding-top: .5rem"})
    SubElement(panel, "Header", {"value": "The case", "size": "4"})
    uses = SubElement(
        panel,
        "Choices",
        {"name": USE, "toName": about, "choice": "multiple", "showInline": "true", "tiebreak": "feedback"},
    )
    for use in USES:
        SubElement(uses, "Choice", {"value": use, "hint": _HINTS[use]})
    for name, asked in ((CLAUSE, "Clause of the guidelines"), (RATIONALE, "Why the answer is right")):
        SubElement(panel, "Header", {"value": asked, "size": "5"})
        words = {"rows": "2", "maxSubmissions": "1", "editable": "true", "showSubmitButton": "false"}
        SubElement(panel, "TextArea", {"name": name, "toName": about, **words, "tiebreak": "feedback"})
    SubElement(panel, "Header", {"value": "Holds until (for ever if empty)", "size": "5"})
    dates = {"only": "date", "format": "%Y-%m-%d"}
    SubElement(panel, "DateTime", {"name": EXPIRES, "toName": about, **dates, "tiebreak": "feedback"})
    return panel
