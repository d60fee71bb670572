"""`datasets` without a network, with caches of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.training_export.made_exports import Load


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """`datasets.load_dataset`, given a folder and perhaps a name."""
    import datasets
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    datasets.disable_progress_bars()
    return lambda folder, *name, **more: datasets.load_dataset(
        str(folder), *name, cache_dir=str(tmp_path / "cache"), **more
    )
