r"""CoNLL-style files for sequence taggers: a token, a tab and its tag a line, a blank line after each text (BIO2).

    <control>/train.conll     Acme\tB-Brand
    <control>/train.jsonl     {"task": 7, "text": "Acme's …", "starts": [0, …], "ends": [4, …]}, one a text of that file
    <control>/tags.json       {"Brand": "Brand"}: what follows B- and I- -> the training label

A tag holds no blanks: runs of them, and of control characters, are "_" in it. `_tokens` says what a token is, `_spans`
what becomes of spans that are not made of whole tokens, or overlap.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sdk_scripts.training_export.formats import FORMATS, Format, Written
from sdk_scripts.training_export.formats._labels import Labels
from sdk_scripts.training_export.formats._lines import write_lines, write_text
from sdk_scripts.training_export.formats._losses import Losses, answered, check_kinds, nothing_left
from sdk_scripts.training_export.formats._spans import Placed, apart, check_characters, in_tokens
from sdk_scripts.training_export.model import SPLITS, ControlSet, Export

KINDS = frozenset({"spans"})
_BLANKS = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


def write(export: Export, folder: Path) -> Written:
    """Raises InputError for other controls than spans of characters, and for one that has no text with a token."""
    check_kinds(export, "bio", KINDS)
    losses = Losses()
    files = [path for controls in answered(export) for path in _write(controls, folder / controls.folder, losses)]
    return Written(tuple(files), losses.all)


FORMATS.register("bio")(Format(write, KINDS, "spans as BIO2 tags, a token a line (CoNLL), with offsets beside them"))


def _write(controls: ControlSet, folder: Path, losses: Losses) -> Iterator[Path]:
    check_characters(controls, "bio")
    labels = Labels(controls)
    tags = tags_of(labels.names)
    folder.mkdir()
    written = False
    for split in SPLITS:
        tagged, places = [], []
        for row in controls.of(split):
            text = in_tokens(labels, row, losses)
            if not text.tokens:
                losses.add("a text without a token: left out", row.task)
                continue
            spans = apart(text.spans, "a span that overlaps a longer one: left out", row.task, losses)
            words = [text.text[start:end] for start, end in text.tokens]
            lines = zip(words, _bio(spans, len(words), tags), strict=True)
            tagged.append("".join(f"{word}\t{tag}\n" for word, tag in lines) + "\n")
            starts, ends = zip(*text.tokens, strict=True)
            places.append({"task": row.task, "text": text.text, "starts": starts, "ends": ends})
        if tagged:
            written = True
            yield write_text(folder / f"{split}.conll", "".join(tagged))
            yield write_lines(folder / f"{split}.jsonl", places)
    if not written:
        raise nothing_left(controls, "bio", "no text of it has a token")
    yield write_lines(folder / "tags.json", [{tag: label for label, tag in tags.items()}])


def tags_of(labels: Sequence[str]) -> dict[str, str]:
    """Label -> what follows B- and I-: without blanks, and different for different labels."""
    plain = {label: _BLANKS.sub("_", label) or "_" for label in labels}
    taken = {tag for label, tag in plain.items() if tag == label}
    tags = {}
    for label, like in plain.items():
        tag, number = like, 1
        while tag != label and tag in taken:
            number += 1
            tag = f"{like}_{number}"
        taken.add(tag)
        tags[label] = tag
    return tags


def _bio(spans: Sequence[Placed], n: int, tags: Mapping[str, str]) -> list[str]:
    found = ["O"] * n
    for span in spans:
        tag = tags[span.label]
        found[span.first : span.end] = [f"B-{tag}"] + [f"I-{tag}"] * (span.end - span.first - 1)
    return found
