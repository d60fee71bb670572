"""Accounts. Label Studio Community has no roles: every account may do everything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ml_backend.labeling.errors import InputError
from ml_backend.labeling.results import Task, read_task
from ml_backend.studio.connection import Connection
from ml_backend.studio.refusals import Refusal, plain

_GONE = "Deleted"
"""What Label Studio shows for the e-mail of someone who left the organisation."""


class People(Connection):
    def annotators(self) -> dict[int, str]:
        """User id -> e-mail, of everyone in the organisation."""
        return {user["id"]: user["email"] for user in self._people() if user["email"] not in ("", _GONE)}

    def read(self, tasks: Iterable[Mapping[str, Any]]) -> list[Task]:
        """Tasks of Label Studio's API as analyses and training read them: annotators by e-mail, seals opened."""
        annotators = self.annotators()
        return [self.arms.opened(read_task(task, annotators)) for task in tasks]

    def add_annotator(self, email: str, first_name: str = "", last_name: str = "") -> int:
        """The id of the account with this e-mail, made if it is not there. E-mails are compared without case.

        The new account has no password: it can be given annotations, and its person signs up through an invitation or
        has an administrator set one.
        """
        address = email.strip().lower()
        if "@" not in address:
            raise InputError(f"{plain(email)!r} is not an e-mail address.")
        if (known := self._id_of(address)) is not None:
            return known
        fields = {"email": address, "username": address, "first_name": first_name, "last_name": last_name}
        try:
            made = self._call("POST", "/api/users/", json=fields, repeatable=True)
        except Refusal:
            if (known := self._id_of(address)) is None:  # made meanwhile, or by a call that got no answer
                raise
            return known
        return made["id"]

    def account(self, email: str | None) -> int | None:
        """The id of the account with this e-mail, None where there is none; the token's own for None."""
        return self._id_of(email.strip().lower()) if email else int(self._get("/api/current-user/whoami")["id"])

    def _id_of(self, address: str) -> int | None:
        return next((id for id, email in self.annotators().items() if email.lower() == address), None)

    def _people(self) -> list[dict[str, Any]]:
        return self._get("/api/users/")
