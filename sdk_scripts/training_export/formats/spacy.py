"""spaCy's DocBin files, for `spacy train` and `spacy.training.Corpus`.

    <control>/train.spacy
    <control>/train.jsonl     {"task": 7, "soft": {"a": 0.75, …}}, a line a doc of that file; soft where votes tell

Spans are in `doc.spans["sc"]`, and in `doc.ents` where no two overlap; choices are `doc.cats`, 1 or 0 for each label.
Texts come back as they were; their tokens are those of `_tokens`, so the files fit a blank pipeline of any language,
which aligns its own tokens with them. The tasks stand beside the docs, as spaCy packs a doc's own data slowly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml_backend.labeling.errors import InputError
from sdk_scripts.training_export.formats import FORMATS, Format, Written
from sdk_scripts.training_export.formats._labels import Labels
from sdk_scripts.training_export.formats._lines import write_lines
from sdk_scripts.training_export.formats._losses import Losses, answered, check_kinds, nothing_left
from sdk_scripts.training_export.formats._spans import Text, apart, check_characters, in_tokens, text_of
from sdk_scripts.training_export.formats._tokens import Place, tokens
from sdk_scripts.training_export.model import SPLITS, ControlSet, Export, Row

if TYPE_CHECKING:
    from spacy.tokens import Doc
    from spacy.vocab import Vocab

KINDS = frozenset({"spans", "choices", "taxonomy", "rating"})
GROUP = "sc"  # where spaCy's SpanCategorizer looks by default


def write(export: Export, folder: Path) -> Written:
    """Raises InputError without spaCy, for controls of other kinds or of seconds, for an empty label, and for a control
    none of whose rows has a text."""
    check_kinds(export, "spacy", KINDS)
    losses = Losses()
    vocab = _vocab()
    files = [path for it in answered(export) for path in _write(it, folder / it.folder, vocab, losses)]
    return Written(tuple(files), losses.all)


FORMATS.register("spacy")(Format(write, KINDS, "spans and choices as spaCy's DocBin; needs tiebreak[spacy]"))


def _vocab() -> Vocab:
    try:
        import spacy
    except ImportError:
        raise InputError("The format spacy needs spaCy.", mend="pip install 'tiebreak[spacy]'") from None
    return spacy.blank("xx").vocab


def _write(controls: ControlSet, folder: Path, vocab: Vocab, losses: Losses) -> Iterator[Path]:
    from spacy.tokens import DocBin

    if controls.kind == "spans":
        check_characters(controls, "spacy")
    labels = Labels(controls)
    if "" in labels.names:
        raise InputError(
            f"spacy cannot hold control {controls.control.name!r}: one of its labels is empty.",
            mend="Name it in the mapping.",
        )
    folder.mkdir()
    written = False
    for split in SPLITS:
        docs = DocBin(attrs=["ENT_IOB", "ENT_TYPE"])
        about: list[Mapping[str, Any]] = []
        for row in controls.of(split):
            if not text_of(row).strip():
                losses.add("a row without a text: left out", row.task)
            else:
                docs.add(_doc(controls, row, labels, vocab, losses))
                soft = {label: row.soft[label] for label in labels.names if label in row.soft}
                about.append({"task": row.task, "soft": soft} if soft else {"task": row.task})
        if about:
            written = True
            path = folder / f"{split}.spacy"
            path.write_bytes(docs.to_bytes())
            yield path
            yield write_lines(folder / f"{split}.jsonl", about)
    if not written:
        raise nothing_left(controls, "spacy", "none of its rows has a text")


def _doc(controls: ControlSet, row: Row, labels: Labels, vocab: Vocab, losses: Losses) -> Doc:
    if controls.kind == "spans":
        text = in_tokens(labels, row, losses)
        doc, places = _in_words(text.text, text.tokens, vocab)
        _mark(doc, places, text, row.task, losses)
    else:
        picked = set(labels.places(row.labels, row.task))
        doc, _ = _in_words(text_of(row), tokens(text_of(row)), vocab)
        doc.cats = {label: float(place in picked) for place, label in enumerate(labels.names)}
    return doc


def _in_words(text: str, places: Sequence[Place], vocab: Vocab) -> tuple[Doc, list[int]]:
    """The text as spaCy holds it, where blanks but for one space after a token are tokens of their own; and where each
    of the tokens is in it."""
    from spacy.tokens import Doc

    words: list[str] = []
    spaces: list[bool] = []
    numbers: list[int] = []
    at = 0
    for start, end in [*places, (len(text), len(text))]:
        blanks = text[at:start]
        if blanks.startswith(" ") and words:
            spaces[-1] = True
            blanks = blanks[1:]
        if blanks:
            words.append(blanks)
            spaces.append(False)
        if end > start:
            numbers.append(len(words))
            words.append(text[start:end])
            spaces.append(False)
        at = end
    return Doc(vocab, words=words, spaces=spaces), numbers


def _mark(doc: Doc, numbers: Sequence[int], text: Text, task: int, losses: Losses) -> None:
    from spacy.tokens import Span

    def spans(placed: Any) -> list[Span]:
        return [Span(doc, numbers[it.first], numbers[it.end - 1] + 1, label=it.label) for it in placed]

    doc.spans[GROUP] = spans(text.spans)
    alone = apart(text.spans, f'a span that overlaps a longer one: in doc.spans["{GROUP}"] alone', task, losses)
    doc.set_ents(spans(alone), default="outside")
