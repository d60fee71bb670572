"""Plug-in families: registered by decorator, discovered by folder."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ml_backend.labeling.errors import UnknownName
from ml_backend.labeling.plugins import Registry

SHAPES = """
from ml_backend.labeling.plugins import Registry
REGISTRY = Registry("shape", __name__)
"""
SHAPE = """
from {package} import REGISTRY
@REGISTRY.register({name!r})
def {function}():
    return {name!r}
"""


@pytest.fixture
def family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Callable[..., Registry]:
    """A package with these files, each registering the name given for it."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(package: str, **names: str) -> Registry:
        folder = tmp_path / package
        folder.mkdir()
        (folder / "__init__.py").write_text(SHAPES)
        for file, name in names.items():
            (folder / f"{file}.py").write_text(SHAPE.format(package=package, name=name, function=file.strip("_")))
        request.addfinalizer(lambda: [sys.modules.pop(it) for it in list(sys.modules) if it.split(".")[0] == package])
        return __import__(package).REGISTRY

    return make


def test_adding_a_file_adds_a_member(family: Callable[..., Registry]) -> None:
    shapes = family("shapes_a", circle="circle", square="square")
    assert list(shapes) == ["circle", "square"]
    assert shapes["circle"]() == "circle"
    assert dict(shapes.items()).keys() == {"circle", "square"}


def test_nothing_is_imported_before_the_first_look_up(family: Callable[..., Registry]) -> None:
    shapes = family("shapes_b", circle="circle")
    assert "shapes_b.circle" not in sys.modules
    assert "circle" in shapes
    assert "shapes_b.circle" in sys.modules


def test_a_file_whose_name_starts_with_an_underscore_is_no_member(family: Callable[..., Registry]) -> None:
    assert list(family("shapes_c", _hidden="hidden", circle="circle")) == ["circle"]


def test_a_name_taken_twice_raises_and_names_both_modules(family: Callable[..., Registry]) -> None:
    shapes = family("shapes_d", circle="round", disc="round")
    with pytest.raises(ValueError, match=r"two shapes are named 'round': shapes_d\.circle\.circle and shapes_d\.disc"):
        list(shapes)


def test_an_unknown_name_lists_the_known_ones(family: Callable[..., Registry]) -> None:
    with pytest.raises(UnknownName, match="There is no shape named 'star'; known: circle, square"):
        family("shapes_e", circle="circle", square="square")["star"]


def test_a_module_may_be_imported_again() -> None:
    registry: Registry[object] = Registry("thing", __name__)

    def thing() -> None:
        """Stands for one and the same module member, loaded twice."""

    assert registry.register("a")(thing) is thing
    assert registry.register("a")(thing) is thing
