"""What an alert looks like to its receiver, one file a format.

A format turns a message into the JSON of a webhook, and reads off the answer whether it was taken. What it is given is
untrusted text, made harmless (`harmless`) and bounded already; each format escapes its own markup besides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from ml_backend.labeling.plugins import Registry

__all__ = ["FORMATS", "Format", "Line", "Message", "register"]


@dataclass(frozen=True, slots=True)
class Line:
    """One finding in a message."""

    id: str
    """The same whenever the same is told again."""
    key: str
    state: str
    """new, worse (than when it was acknowledged), open, cleared."""
    severity: str
    rule: str
    subject: str
    text: str
    cause: str
    since: str
    url: str
    """In Label Studio; empty where there is none."""

    @property
    def words(self) -> str:
        return f"{self.rule}{f', {self.subject}' if self.subject else ''}: {self.text}"


@dataclass(frozen=True, slots=True)
class Message:
    id: str
    """The same where it is sent again, because nobody knows whether it arrived."""
    kind: str
    """findings, or digest: what is still open."""
    title: str
    """Of the project."""
    url: str
    at: str
    found: tuple[Line, ...]
    """The worst first."""
    more: int
    """Findings that are not listed."""
    cleared: tuple[Line, ...]
    cleared_more: int
    still_open: int
    """Findings that were told of before."""

    @property
    def headline(self) -> str:
        n = len(self.found) + self.more
        if self.kind == "digest":
            return f"Tiebreak: {n} finding{'s' * (n != 1)} still open in {self.title}"
        cleared = len(self.cleared) + self.cleared_more
        said = [f"{n} new finding{'s' * (n != 1)}"] * bool(n) + [f"{cleared} cleared"] * bool(cleared)
        return f"Tiebreak: {', '.join(said)} in {self.title}"

    @property
    def rest(self) -> tuple[str, ...]:
        """What is counted only, a sentence each."""
        return tuple(
            f"{n} {words}."
            for n, words in (
                (self.more, "more are not listed"),
                (self.cleared_more, "more were cleared"),
                (self.still_open, "were told of before and are still open"),
            )
            if n
        )


class Format(Protocol):
    """What a file in this folder registers an instance of."""

    name: str

    def payload(self, message: Message, secret: str, now: float) -> dict[str, Any]:
        """The JSON to send. `secret` signs it where the receiver knows signatures; `now` is in Unix seconds."""

    def refusal(self, answer: bytes) -> str:
        """Why an answer with a status below 300 is no acceptance; empty: it is one."""


FORMATS: Registry[Format] = Registry("alert format", __name__)
register = FORMATS.register_class
