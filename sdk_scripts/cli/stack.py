"""What runs: the embedded stack, the demo, the backend, workers."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

import typer

from sdk_scripts.cli.app import app
from sdk_scripts.cli.options import CLEAN, FAILED, Json, print_json, read_settings, say


@app.command()
def up(
    studio_port: Annotated[int | None, typer.Option(help="Port of Label Studio; a free one by default.")] = None,
) -> None:
    """Start Label Studio, Valkey, the backend and a worker on this machine; Ctrl-C stops them."""
    from sdk_scripts.embedded import run_up

    run_up(read_settings(), studio_port=studio_port, report=say)


@app.command()
def demo(
    exit: Annotated[bool, typer.Option("--exit", help="Verify every step, then stop everything.")] = False,
    as_json: Json = False,
) -> None:
    """The guided demo: real reviews, real raters, from the first prediction to the report."""
    from sdk_scripts.demo import run_demo

    summary = run_demo(read_settings(), exit_after=exit, report=say)
    if as_json:
        print_json(summary.to_json())
    raise typer.Exit(CLEAN if summary.ok else FAILED)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 9090,
) -> None:
    """Serve the ML backend. Without TIEBREAK_REDIS_URL it uses (or starts) the bundled Valkey."""
    import uvicorn

    from ml_backend.http_heads import LimitedHeads
    from sdk_scripts.processes import listen, refuse_open

    settings = read_settings()  # a wrong setting is told here, not in uvicorn's traceback
    config = uvicorn.Config(
        "ml_backend.app:create_app", factory=True, http=LimitedHeads, access_log=False, log_config=None
    )
    server = uvicorn.Server(config)
    with listen(host, port) as listener, suppress(KeyboardInterrupt):
        refuse_open(listener, settings)
        server.run(sockets=[listener])
    raise typer.Exit(CLEAN if server.started else FAILED)


@app.command()
def worker(
    burst: Annotated[bool, typer.Option("--burst", help="Stop when the queues are empty.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Run none; say whether one of this machine lives.")] = False,
) -> None:
    """Run a worker: training, pre-labeling and every other slow job. Start as many as you like, on any machine."""
    if check:
        from sdk_scripts.worker_check import living_worker

        typer.echo(f"{living_worker(read_settings())} lives.")
        return
    from ml_backend.jobs import run_worker

    run_worker(read_settings(), burst=burst)
