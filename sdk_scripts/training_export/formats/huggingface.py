"""A folder that `datasets.load_dataset(DIR, CONTROL)` opens, offline, with typed features.

    <control>/train-00000-of-00001.parquet     at most SHARD rows each
    README.md                                  where they are and their features (`front`)

A row has `task`, `text` and `image` where its control is about them, what its kind answers, `soft` (probabilities in
the order of the label's names, null where votes do not tell), how sure that is and where it comes from, and `data`, the
task's data as JSON. Labels are ClassLabel. Images are addresses: `cast_column("image", Image())` loads them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sdk_scripts.training_export.formats import FORMATS, Format, Written
from sdk_scripts.training_export.formats._columns import Column, columns_of
from sdk_scripts.training_export.formats._losses import answered
from sdk_scripts.training_export.front_matter import front_matter
from sdk_scripts.training_export.model import SPLITS, ControlSet, Export

SHARD = 100_000
"""Rows."""
ROW_GROUP = 10_000
NAME = "huggingface"


def write(export: Export, folder: Path) -> Written:
    """Raises InputError, naming control and task, for a label that is none of the control's, and for another number of
    labels than one where the control takes one."""
    files = [path for controls in answered(export) for path in _write(controls, folder)]
    readme = folder / "README.md"
    readme.write_bytes(front_matter(front(export, "")).encode())
    return Written((readme, *files))


def front(export: Export, place: str) -> Mapping[str, Any]:
    """`configs` and `dataset_info` of the data card's YAML front matter, a config a control; `place` is the folder of
    this format beside the card, empty for the card's own. The first control is the default."""
    written = answered(export)
    names = [controls.folder for controls in written]
    default = "default" if "default" in names else next(iter(names), "")
    configs, infos = [], []
    for controls in written:
        splits = [(split, len(rows)) for split in SPLITS if (rows := controls.of(split))]
        config: dict[str, Any] = {"config_name": controls.folder}
        if controls.folder == default:
            config["default"] = True
        config["data_files"] = [
            {"split": split, "path": f"{place + '/' if place else ''}{controls.folder}/{split}-*.parquet"}
            for split, _ in splits
        ]
        configs.append(config)
        infos.append(
            {
                "config_name": controls.folder,
                "features": [{"name": name, **column.feature} for name, column in columns_of(controls).items()],
                "splits": [{"name": split, "num_bytes": 0, "num_examples": n} for split, n in splits],
            }
        )
    return {"configs": configs, "dataset_info": infos}


FORMATS.register(NAME)(Format(write, None, "Parquet with typed features, for datasets.load_dataset", front))


def _write(controls: ControlSet, folder: Path) -> Iterator[Path]:
    columns = columns_of(controls)
    (folder / controls.folder).mkdir()
    for split in SPLITS:
        rows = controls.of(split)
        shards = range(0, len(rows), SHARD)
        for number, start in enumerate(shards):
            path = folder / controls.folder / f"{split}-{number:05d}-of-{len(shards):05d}.parquet"
            values = [[column.read(row) for column in columns.values()] for row in rows[start : start + SHARD]]
            _parquet(columns, values, path)
            yield path


def _parquet(columns: Mapping[str, Column], rows: Sequence[Sequence[Any]], path: Path) -> None:
    import polars as pl

    schema = {name: column.type for name, column in columns.items()}
    pl.DataFrame(rows, schema=schema, orient="row").write_parquet(path, compression="zstd", row_group_size=ROW_GROUP)
