"""The only package that talks to Label Studio.

It is built on label-studio-sdk: its sign-in (legacy tokens, and personal access tokens with their refresh) and its
request machinery. Its generated methods are not used where they lose data: the pager takes any 404 as the end of a
list, refused predictions go unmentioned, and dropped fields too.

    connection   one call: sign-in, repeats, time limits, JSON
    refusals     Label Studio's answers -> errors that say which setting to change
    payloads     what is sent, and whether it was stored as sent
    trail        every change, for the record
    kept_values  what stood there before, for a while, so that a change can be undone
    projects     projects and label configs
    tasks        reading tasks, the queue, deleting
    snapshots    a large project read whole
    imports      tasks in bulk, neither lost nor doubled
    predictions  predictions in bulk, each once
    stored_predictions  single ones: clusters, what is out of date, what is there twice
    standing     how many of everything a project has, and when each task changed
    checks       whether a prediction fits the label config
    annotations  single annotations
    people       accounts
    files        what people uploaded
    views, backends, webhooks

Every write is verified, by counts or by reading back, and safe to repeat.
"""

from __future__ import annotations

from ml_backend.labeling.errors import StudioUnauthorized
from ml_backend.settings import Settings
from ml_backend.studio.annotations import Annotations
from ml_backend.studio.backends import Backends
from ml_backend.studio.files import Files
from ml_backend.studio.imports import Imports
from ml_backend.studio.standing import Standings
from ml_backend.studio.trail import Trail
from ml_backend.studio.views import Views
from ml_backend.studio.webhooks import Webhooks

__all__ = ["Studio"]


class Studio(Standings, Imports, Annotations, Files, Views, Backends, Webhooks):
    """A signed-in connection to one Label Studio. Threads may share it."""

    @classmethod
    def connect(cls, settings: Settings) -> Studio:
        """The Label Studio of the settings. Raises StudioUnauthorized where no token is set; calls nothing yet."""
        token = settings.studio_token.get_secret_value().strip()
        if not token:
            raise StudioUnauthorized(
                "There is no token for Label Studio.",
                mend="Set TIEBREAK_STUDIO_TOKEN to a token from its Account & Settings page.",
            )
        return cls(
            settings.studio_url,
            token,
            timeout=settings.studio_timeout,
            public_url=settings.studio_public_url,
            policy_secret=settings.policy_secret.get_secret_value(),
            trail=Trail(settings.home.absolute() / "audit"),
        )

    def data_manager(self, project: int) -> str:
        """Address of a project's tasks, for people."""
        return f"{self.public_url}/projects/{project}/data"

    def version(self) -> str:
        """Label Studio's version, such as "1.23.2"."""
        return str(self._get("/api/version")["release"])
