"""Every error Tiebreak raises on purpose.

    TiebreakError                what went wrong, and `mend`: what to do about it
    ├── InputError               data or arguments a caller gave (HTTP 400)
    │   ├── ConfigError          a label config, manifest, rules file or setting
    │   └── UnknownName          a name no plug-in, control or version has
    ├── NotEnoughLabels          training or statistics that need more labels first (HTTP 409)
    ├── StudioError              Label Studio said no, or said something unexpected (HTTP 502)
    │   ├── StudioUnreachable    it does not answer
    │   ├── StudioUnauthorized   the token is missing, wrong or of a kind that is switched off
    │   ├── StudioNotFound       no such project, task, view, …
    │   └── StudioRefused        it refused, or silently dropped, what was sent
    ├── QueueUnavailable         Redis or its workers cannot be used (HTTP 503)
    └── ModelUnavailable         no model version can answer (HTTP 503)

`sdk_scripts.cli` turns them into exit code 2 and `ml_backend.app` into an HTTP status; nothing else does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
"""What parsing a document, and taking it apart, raises where it is not what it should be."""


class TiebreakError(Exception):
    """`what` happened (with where), and `mend`, the sentence that says how to put it right. What they quote and UTF-8
    does not have is written as \\ud800."""

    status = 500

    def __init__(self, what: str, *, mend: str = "") -> None:
        self.what, self.mend = _utf8(what), _utf8(mend)
        super().__init__(self.what)

    def __str__(self) -> str:
        return f"{self.what} {self.mend}".strip()


def _utf8(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


class InputError(TiebreakError):
    status = 400


class ConfigError(InputError):
    """A file or setting that cannot be used. Lists every reason found, each with its place, not only the first."""

    def __init__(self, what: str, reasons: Iterable[str] = (), *, mend: str = "") -> None:
        self.reasons = tuple(map(_utf8, reasons))
        listed = "".join(f"\n  - {reason}" for reason in self.reasons)
        super().__init__(f"{what}{listed}", mend=f"\n{mend}" if listed and mend else mend)


class UnknownName(InputError):
    def __init__(self, what: str, name: str, known: Sequence[str], *, mend: str = "") -> None:
        listed = ", ".join(sorted(map(str, known))) or "none"
        super().__init__(f"There is no {what} named {name!r}; known: {listed}.", mend=mend)


class NotEnoughLabels(TiebreakError):
    status = 409


class StudioError(TiebreakError):
    status = 502


class StudioUnreachable(StudioError):
    pass


class StudioUnauthorized(StudioError):
    pass


class StudioNotFound(StudioError):
    pass


class StudioRefused(StudioError):
    pass


class QueueUnavailable(TiebreakError):
    status = 503


class ModelUnavailable(TiebreakError):
    status = 503
