"""Starts the Space once and opens it in a headless browser; skips if either is not installed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SPACE = ROOT / "examples" / "space"
ARTEFACTS = ROOT / "artefacts" / "space"
BROWSER_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDTHS = {"wide": (1280, 900), "narrow": (390, 844)}


@pytest.fixture(scope="session")
def space_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of the app, started with `python app.py` as on the Hub."""
    pytest.importorskip("gradio")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("space") / "log.txt"
    paths = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PORT": str(port), "PYTHONPATH": paths, "GRADIO_SERVER_NAME": "127.0.0.1"}
    with open(log, "w") as out:
        process = subprocess.Popen([sys.executable, "app.py"], cwd=SPACE, env=environment, stdout=out, stderr=out)
    url = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(url, timeout=5).close()
                break
            except (urllib.error.URLError, OSError):
                ended = process.poll() is not None
                if ended or time.monotonic() > until:
                    raise AssertionError(f"The app did not start:\n{log.read_text()}") from None
                time.sleep(0.3)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    playwright = pytest.importorskip("playwright.sync_api")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("Chromium is not installed: install the package `chromium`")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=program, args=BROWSER_ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser: Any, space_url: str) -> Iterator[Callable[..., Any]]:
    """Opens the app in a window, as in `open_page("narrow", "dark")`, and waits until the first day is drawn.

    The page's attribute `external_requests` lists requests to other hosts, and `script_errors` its JavaScript errors.
    """
    contexts = []

    def open_(size: str = "wide", scheme: str = "light") -> Any:
        width, height = WIDTHS[size]
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, timezone_id="Europe/Rome"
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.external_requests, page.script_errors = [], []
        own = ("data:", "blob:", space_url, space_url.replace("http", "ws"))
        page.on(
            "request",
            lambda request: None if request.url.startswith(own) else page.external_requests.append(request.url),
        )
        page.on("pageerror", lambda error: page.script_errors.append(str(error)))
        page.goto(space_url)
        page.locator("#day img").wait_for()
        page.wait_for_function("document.querySelector('#day img').complete")
        return page

    yield open_
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def save_screenshot() -> Callable[..., Path]:
    """Saves a full-page screenshot to the artefacts."""
    ARTEFACTS.mkdir(parents=True, exist_ok=True)

    def save_screenshot_(page: Any, name: str) -> Path:
        page.wait_for_timeout(400)  # wait for animations
        path = ARTEFACTS / f"{name}.png"
        page.screenshot(path=str(path), full_page=True)
        return path

    return save_screenshot_
