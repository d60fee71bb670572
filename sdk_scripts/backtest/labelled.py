"""DATA -> labelled texts, one entry a text: what a backtest replays."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ml_backend.encoder import Encoder
from ml_backend.examples import examples_of
from ml_backend.labeling.arms import NO_SECRET, Arms
from ml_backend.labeling.config import Control, LabelConfig
from ml_backend.labeling.errors import InputError, UnknownName
from ml_backend.labeling.kinds import Answer, Kind, kind_of
from ml_backend.prelabelers import group_key, learners, readings_of
from sdk_scripts.backtest.columns import Columns, Unreadable, answer_of
from sdk_scripts.export_file import read_export
from sdk_scripts.manifest_schema import TaskSource
from sdk_scripts.row_formats import FORMATS, Reject, Row, format_of
from sdk_scripts.wording import short

LEAST_TEXTS = 50
READ = frozenset({"choices", "taxonomy", "rating"})
"""Kinds of control whose answers fit in a cell."""
MOST_TEXTS = 30_000
"""Replayed unless told otherwise: more would hardly change a figure, and take its time."""
_NAMED = 12  # unknown labels that an error lists


@dataclass(frozen=True)
class Labelled:
    """n texts, no two of them alike but for case and white space, with their answers; in an order that only the texts
    and the seed decide."""

    name: str
    config: LabelConfig
    control: Control
    kind: Kind
    texts: tuple[str, ...]
    answers: tuple[Answer, ...]
    rows: int
    """Rows of the file that had a text and a label."""
    duplicates: int
    """Rows whose text stood in an earlier one."""
    conflicts: int
    """Texts that rows label differently; the commonest label counts."""
    dropped: Mapping[str, int]
    """Why rows were left out -> how many."""
    texts_found: int
    """Before a limit picked some of them at random."""

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Sequence[int]) -> Labelled:
        return replace(self, texts=tuple(self.texts[i] for i in rows), answers=tuple(self.answers[i] for i in rows))


def read_labelled(
    path: Path,
    config: LabelConfig,
    columns: Columns,
    encoder: Encoder,
    *,
    seed: int,
    limit: int | None,
    arms: Arms = NO_SECRET,
) -> Labelled:
    """Read a file of rows (CSV, TSV, JSON, JSON Lines, Parquet), each with a text and a label; or, where no column is
    named, a Label Studio JSON export, whose answers are what the annotators agree on; `arms` opens its seals.

    Raises InputError for a file, columns or labels that cannot be used: labels that the config does not have, with
    their counts; too few texts; one label only.
    """
    control = control_of(config, columns)
    if not (columns.text or columns.label):
        return _read_export(path, config, control, encoder, arms, seed=seed, limit=limit)
    if not (columns.text and columns.label):
        raise InputError("Both --text and --label are needed.", mend="Leave both out for a Label Studio JSON export.")
    kind = known_kind(control)
    dropped: Counter[str] = Counter()
    unknown: Counter[str] = Counter()
    found: list[tuple[str, str, str]] = []  # item, text, key of the answer
    for row in _rows(path, columns, config, control):
        if isinstance(row, Reject):
            dropped["could not be read"] += 1
            continue
        text = readings_of(config, control, [_data(row, columns, config, control)])[0].text
        label = row.values.get(columns.label)
        if not text:
            dropped["without a text"] += 1
        elif label is None or (isinstance(label, str) and not label.strip()) or label == []:
            dropped["without a label"] += 1
        else:
            try:
                answer = answer_of(control, label)
            except Unreadable as error:
                unknown[error.label] += 1
                continue
            item = str(row.values.get(columns.item)) if columns.item else text
            found.append((item, text, kind.key(answer)))
    _refuse_unknown(path, columns, control, unknown)
    return settle(path.name, config, control, found, dropped, seed=seed, limit=limit, where=f"{path}")


def _read_export(
    path: Path, config: LabelConfig, control: Control, encoder: Encoder, arms: Arms, *, seed: int, limit: int | None
) -> Labelled:
    if not path.name.lower().endswith((".json", ".json.gz")):
        raise InputError(
            f"{path} needs the names of its columns.", mend="Add --text COLUMN and --label COLUMN for text and label."
        )
    tasks = read_export(path, arms).tasks
    examples = examples_of(config, tasks, encoder)[control.name]
    kind = known_kind(control)
    found = [
        (str(task), text, kind.key(answer))
        for task, text, answer in zip(examples.tasks, examples.inputs.texts, examples.answers, strict=True)
    ]
    dropped = {"without a text or a label": len(tasks) - len(found)} if len(tasks) > len(found) else {}
    return settle(path.name, config, control, found, dropped, seed=seed, limit=limit, where=str(path))


def settle(
    name: str,
    config: LabelConfig,
    control: Control,
    found: Sequence[tuple[str, str, str]],
    dropped: Mapping[str, int],
    *,
    seed: int,
    limit: int | None,
    where: str,
) -> Labelled:
    """(item, text, answer's key) of each row -> one entry a text. Raises InputError for too few texts, or one label.

    An item has the commonest answer of its rows, a text that of its items; where two are as common, the one that is
    commoner in the whole file.
    """
    kind = known_kind(control)
    overall = Counter(key for _, _, key in found)
    items: dict[str, list[str]] = defaultdict(list)
    text_of_item: dict[str, str] = {}
    for item, text, key in found:
        items[item].append(key)
        text_of_item.setdefault(item, text)
    votes: dict[bytes, list[str]] = defaultdict(list)
    first: dict[bytes, str] = {}
    conflicts = 0
    for item, keys in items.items():
        group = group_key(text_of_item[item])
        votes[group].append(_commonest(keys, overall))
        conflicts += len(set(keys)) > 1
        first[group] = min(first.get(group, text_of_item[item]), text_of_item[item])
    conflicts = sum(len(set(keys)) > 1 for keys in votes.values()) + (conflicts if len(items) != len(found) else 0)
    groups = sorted(votes, key=lambda group: hashlib.sha256(b"%d\0%s" % (seed, group)).digest())
    kept = groups[: limit or MOST_TEXTS]
    labelled = Labelled(
        name,
        config,
        control,
        kind,
        tuple(first[group] for group in kept),
        tuple(kind.from_key(_commonest(votes[group], overall)) for group in kept),
        len(found),
        len(found) - len(groups),
        conflicts,
        dict(dropped),
        len(groups),
    )
    _require_enough(labelled, where)
    return labelled


def known_kind(control: Control) -> Kind:
    """The kind of a control that can be learned: it has one."""
    kind = kind_of(control)
    if kind is None:
        raise ValueError(f"no kind of control reads <{control.tag}>")
    return kind


def control_of(config: LabelConfig, columns: Columns) -> Control:
    """The control that the labels answer. Raises InputError, UnknownName."""
    learnable = {
        control.name: control
        for control in config.answerable
        if (kind := kind_of(control)) and kind.name in READ and learners(config, control)
    }
    listed = ", ".join(learnable) or "none"
    wanted = columns.control or (columns.label if columns.label in learnable else None)
    if wanted is not None:
        if wanted not in learnable and wanted in config:
            raise InputError(
                f"The control {wanted!r} is not one that can be learned from text.",
                mend=f"Those of this label config: {listed}.",
            )
        if wanted not in learnable:
            raise UnknownName("control that can be learned", wanted, list(learnable))
        return learnable[wanted]
    if len(learnable) != 1:
        raise InputError(
            f"The label config has {len(learnable)} controls that can be learned from text: {listed}.",
            mend="Say which one the labels answer with --control NAME."
            if learnable
            else "Choices, taxonomies and ratings over text are learned.",
        )
    return next(iter(learnable.values()))


def _rows(path: Path, columns: Columns, config: LabelConfig, control: Control) -> Iterator[Row | Reject]:
    if not path.is_file():
        raise InputError(f"There is no file {path}.", mend="DATA is CSV, TSV, JSON, JSON Lines or Parquet.")
    source = TaskSource.model_validate({"file": path})
    wanted = [columns.text, columns.label, *([columns.item] if columns.item else [])]
    rows = FORMATS[format_of(path, None)](path, source)
    seen = False
    for row in rows:
        if isinstance(row, Row):
            if missing := [name for name in wanted if name not in row.values]:
                if not seen:
                    raise InputError(
                        f"{path} has no column {', '.join(map(repr, missing))}; "
                        f"its columns: {', '.join(map(str, row.values)) or 'none'}.",
                        mend="Name the columns of the text and its label with --text and --label.",
                    )
                row = Row(row.line, dict.fromkeys(wanted) | dict(row.values))
            seen = True
        yield row
    if not seen:
        raise InputError(f"{path} has no rows that can be read.", mend="One text and its label a row.")


def _data(row: Row, columns: Columns, config: LabelConfig, control: Control) -> dict[str, Any]:
    """Task data: the text in the control's own field; the other texts on its screen from columns of their names, but
    never from the label's."""
    own, *others = config.text_fields(control)
    beside = {name: row.values.get(name) for name in others if name not in (columns.label, columns.text)}
    return {**beside, own: row.values[columns.text]}


def _refuse_unknown(path: Path, columns: Columns, control: Control, unknown: Counter[str]) -> None:
    if not unknown:
        return
    listed = ", ".join(f"{short(label)!r} ({count:,})" for label, count in unknown.most_common(_NAMED))
    more = f" and {len(unknown) - _NAMED:,} more" if len(unknown) > _NAMED else ""
    known = ", ".join(control.keys[:_NAMED]) or "whole stars"
    raise InputError(
        f"{unknown.total():,} rows of {path} have labels in {columns.label!r} that the control {control.name!r} does "
        f"not have: {listed}{more}. It has: {known}{' …' if len(control.keys) > _NAMED else ''}.",
        mend="Add them to the label config, rename them in the file, or leave those rows out.",
    )


def _commonest(keys: Sequence[str], overall: Mapping[str, int]) -> str:
    counts = Counter(keys)
    return min(counts, key=lambda key: (-counts[key], -overall[key], key))


def _require_enough(labelled: Labelled, where: str) -> None:
    left = ", ".join(f"{count:,} {why}" for why, count in labelled.dropped.items())
    if len(labelled) < LEAST_TEXTS:
        raise InputError(
            f"{where} has {len(labelled)} different texts with a label{f' (left out: {left})' if left else ''}; "
            f"a backtest takes {LEAST_TEXTS}.",
            mend="Label some more first, or check --text and --label.",
        )
    if len(set(labelled.answers)) < 2:
        raise InputError(
            f"All {len(labelled):,} texts of {where} have the same label, "
            f"{labelled.kind.show(labelled.answers[0])!r}: there is nothing to tell apart.",
            mend="Check --label, or add rows with other labels.",
        )
