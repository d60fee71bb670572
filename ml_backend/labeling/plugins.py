"""Plug-in families: register by decorator, discover by folder.

A family is a package; adding a member is adding a file to it. Kinds of control, pre-labelers, hard-case signals and
inspection rules are such families.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from ml_backend.labeling.errors import UnknownName

T = TypeVar("T")


class Registry(Generic[T]):
    """The members of one family, by name. The folder is imported at the first look-up, not before."""

    def __init__(self, what: str, package: str) -> None:
        self.what = what
        self._package = package
        self._members: dict[str, T] = {}
        self._discovered = False

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator. Raises ValueError, naming both modules, where the name is taken."""

        def add(member: T) -> T:
            if (other := self._members.get(name)) is not None and _home(other) != _home(member):
                raise ValueError(f"two {self.what}s are named {name!r}: {_home(other)} and {_home(member)}")
            self._members[name] = member
            return member

        return add

    def register_class(self, name: str) -> Callable[[type], type]:
        """Class decorator: registers an instance of the class, and gives it its `name`."""

        def add(cls: type) -> type:
            cls.name = name  # type: ignore[attr-defined]  # a class decorator cannot say that it adds an attribute
            self.register(name)(cls())
            return cls

        return add

    def __getitem__(self, name: str) -> T:
        self._discover()
        if name not in self._members:
            raise UnknownName(self.what, name, list(self._members))
        return self._members[name]

    def __iter__(self) -> Iterator[str]:
        self._discover()
        return iter(sorted(self._members))

    def __contains__(self, name: object) -> bool:
        self._discover()
        return name in self._members

    def items(self) -> Iterator[tuple[str, T]]:
        return ((name, self._members[name]) for name in self)

    def _discover(self) -> None:
        if self._discovered:
            return
        package = importlib.import_module(self._package)
        for module in sorted(info.name for info in pkgutil.iter_modules(package.__path__)):
            if not module.startswith("_"):
                importlib.import_module(f"{self._package}.{module}")
        self._discovered = True


def _home(member: object) -> str:
    cls = member if isinstance(member, type) or callable(member) else type(member)
    return f"{cls.__module__}.{getattr(cls, '__qualname__', cls)}"
