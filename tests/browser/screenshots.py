"""Label Studio's labeling screen with each of our label configs and its example task, in real Chromium.

    .venv/bin/python tests/browser/screenshots.py

takes the pictures of the README, `label_configs/<name>/screenshot.png`. The tests beside it look at the same pages.
"""

from __future__ import annotations

import io
import json
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from ml_backend.settings import load_settings
from ml_backend.studio import Studio
from sdk_scripts.processes import Supervisor, free_port
from sdk_scripts.studio_server import Account, await_studio, start_studio, studio_command

CONFIGS = sorted((Path(__file__).parents[2] / "label_configs").glob("*/config.xml"))
VIEWPORT = {"width": 1440, "height": 900}


def import_example(studio: Studio, config: Path) -> tuple[int, int]:
    """A project with this label config and the example task beside it. Returns the ids of project and task."""
    xml = config.read_text("utf-8")
    studio.validate_config(xml)
    project = studio.create_project({"title": config.parent.name, "label_config": xml})["id"]
    studio.import_tasks(project, [json.loads((config.parent / "example.json").read_text("utf-8"))])
    return project, next(studio.tasks(project))["id"]


def signed_in(browser: Browser, url: str, email: str, password: str) -> Page:
    page = browser.new_page(viewport=VIEWPORT, device_scale_factor=1)
    page.goto(f"{url}/user/login/")
    page.fill("input[name=email]", email)
    page.fill("input[name=password]", password)
    page.click("button[type=submit]")
    page.wait_for_url(lambda address: "/login" not in address)
    return page


def open_task(page: Page, url: str, project: int, task: int) -> None:
    """The task in Label Studio's Data Manager, as an annotator sees it, ready to be answered."""
    page.goto(f"{url}/projects/{project}/data?task={task}")
    page.get_by_role("button", name="Submit").wait_for(timeout=60_000)
    page.wait_for_load_state("networkidle")


def main() -> None:
    found = shutil.which("chromium") or shutil.which("google-chrome")
    account = Account("admin@example.com", "a-password-for-pictures", "0123456789abcdef0123456789abcdef01234567")
    with tempfile.TemporaryDirectory() as folder, Supervisor(Path(folder)) as supervisor, sync_playwright() as driver:
        command = studio_command(load_settings(home=Path(folder)))
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        child = start_studio(supervisor, command, Path(folder) / "data", account, port, name="label-studio")
        await_studio(supervisor, child, url, account)
        browser = driver.chromium.launch(executable_path=found, args=["--headless=new", "--no-sandbox"])
        page = signed_in(browser, url, account.email, account.password)
        for config in CONFIGS:
            open_task(page, url, *import_example(Studio(url, account.token), config))
            page.wait_for_timeout(1_000)  # the last layout shift has no event of its own
            small = Image.open(io.BytesIO(page.screenshot())).quantize(64)
            small.save(config.parent / "screenshot.png", optimize=True)
            print(config.parent / "screenshot.png", file=sys.stderr)  # noqa: T201  # this is a script
        browser.close()


if __name__ == "__main__":
    main()
