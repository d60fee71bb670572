"""What a worker says of itself when the doctor asks."""

from __future__ import annotations

import hashlib
import socket
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from ml_backend.labeling.errors import TiebreakError

if TYPE_CHECKING:
    from ml_backend.settings import Settings

LOOK_JOB = "sdk_scripts.doctor.jobs.look_job"


def look_job(marker: str) -> dict[str, Any]:
    """The RQ job: which host it is, how it is set up, and whether it sees the marker and Label Studio."""
    from ml_backend.jobs import job_settings
    from ml_backend.model_files import ModelFiles
    from ml_backend.settings import without_credentials
    from ml_backend.studio import Studio

    settings = job_settings()
    models = without_credentials(settings.models)  # what a job says goes into Redis
    said: dict[str, Any] = {"host": socket.gethostname(), "models": models, "studio": "", "mend": ""}
    try:
        said["setup"] = setup_of(settings, marker)
        said["marker"] = ModelFiles(settings.models).read(marker) is not None
        Studio.connect(settings).account(None)
    except TiebreakError as error:
        said |= {"studio": error.what, "mend": error.mend.strip()}
    return {"setup": {}, "marker": False} | said


def setup_of(settings: Settings, salt: str) -> dict[str, str]:
    """What has to be the same on all machines. Secrets are compared by what they and the salt hash to."""
    from ml_backend.encoder import load_encoder

    secret = settings.policy_secret.get_secret_value()
    return {
        "version of Tiebreak": version("tiebreak"),
        "encoder": load_encoder(settings).id,
        "policy secret": hashlib.sha256(f"{salt}\0{secret}".encode()).hexdigest()[:16],
    }
