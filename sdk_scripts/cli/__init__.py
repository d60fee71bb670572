"""`tiebreak …`: options, progress and the one place that turns errors into exit codes.

Exit 0: done, nothing to report. 1: findings or pending changes. 2: it could not be done. stdout is the result (text,
or one JSON document with --json), stderr is progress and errors. Commands import what they need when they run, so that
`tiebreak --help` answers at once. One module a subject; the order of their imports is that of the help.
"""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

from ml_backend.labeling.errors import TiebreakError
from sdk_scripts.cli.app import app
from sdk_scripts.cli.options import FAILED, print_json

# isort: off
from sdk_scripts.cli import stack, projects, models, tasks, quality, reports  # noqa: F401
from sdk_scripts.cli import inspection, routing, hard_cases, cases, feedback  # noqa: F401
from sdk_scripts.cli import gold  # noqa: F401
from sdk_scripts.cli import onboarding  # noqa: F401
from sdk_scripts.cli import calibration  # noqa: F401
from sdk_scripts.cli import bottlenecks  # noqa: F401
from sdk_scripts.cli import export  # noqa: F401
from sdk_scripts.cli import doctor, audit, jobs  # noqa: F401

# isort: on

__all__ = ["app", "main"]


def main() -> None:
    """The console script. typer itself ends wrong options with exit code 2, and Ctrl-C with 130."""
    if len(sys.argv) > 1 and not {"-h", "--help"} & set(sys.argv):  # help answers at once, without structlog's import
        from ml_backend.logs import set_up_logs

        set_up_logs()  # on stderr: by itself structlog would print into the document on stdout
    try:
        app(prog_name="tiebreak")
    except TiebreakError as error:
        _fail(error, as_json="--json" in sys.argv)


def _fail(error: TiebreakError, as_json: bool) -> NoReturn:
    from sdk_scripts.tables import plain

    lines = [plain(line) if line.strip() else line for line in str(error).splitlines()]
    typer.secho("\n".join(lines), err=True, fg="red")
    if as_json:
        print_json({"error": error.what, "mend": error.mend})
    sys.exit(FAILED)
