"""End-to-end browser tests of the Space."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sensorlm_hf.data import write_days
from sensorlm_hf.data.simulate import simulate_days

pytestmark = pytest.mark.slow

KELVIN = ("time,wrist_temperatures\n" + "".join(f"2024-03-01 08:{m:02d},310.1\n" for m in range(60))).encode()
NAME_OF_FOCUS = """(() => {
  const e = document.activeElement;
  if (e === document.body) return "";
  const label = e.labels && e.labels.length ? e.labels[0].innerText : "";
  return [e.getAttribute("aria-label"), label, e.tagName === "BUTTON" ? e.innerText : ""].filter(Boolean).join("|");
})()"""

OpenPage = Callable[..., Any]
SaveScreenshot = Callable[..., Path]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Two days of heart rate and steps, as in a typical export."""
    rng = np.random.default_rng(5)
    minutes = pd.date_range("2024-03-01", periods=2 * 1440, freq="min")
    clock = np.arange(2 * 1440) % 1440
    awake = (clock > 420) & (clock < 1380)
    heart = 55 + 20 * awake + rng.normal(0, 3, 2880) + 60 * ((clock > 1080) & (clock < 1120))
    steps = np.where(awake, rng.poisson(4, 2880), 0) + 150 * ((clock > 1080) & (clock < 1120))
    path = tmp_path / "my days.csv"
    pd.DataFrame({"time": minutes, "HR": heart.round(1), "steps": steps}).to_csv(path, index=False)
    return path


def upload(page: Any, path: Path) -> None:
    page.locator("input[type=file]").set_input_files(str(path))


def wait_for(page: Any, where: str, words: str) -> str:
    found = page.locator(where).filter(has_text=re.compile(words, re.S))
    found.wait_for()
    return found.inner_text()


def test_first_page(open_page: OpenPage, save_screenshot: SaveScreenshot) -> None:
    page = open_page()
    assert "synthetic subjects only" in page.locator(".notice").inner_text()
    assert "calls no other service" in page.locator(".notice").inner_text()
    assert page.get_by_label("A day with running").is_checked()
    assert "heart rate" in (page.locator("#day img").get_attribute("alt") or "")
    save_screenshot(page, "first_page_light")
    assert page.external_requests == []
    assert page.script_errors == []
    dark = open_page(scheme="dark")
    save_screenshot(dark, "first_page_dark")
    assert dark.evaluate("document.querySelector('#day img').currentSrc.length") > 1000


def test_other_sample_and_model_input(open_page: OpenPage, save_screenshot: SaveScreenshot) -> None:
    page = open_page()
    page.get_by_label("A day without exercise").check()
    wait_for(page, "#day-status", "A day without exercise, of a synthetic subject")
    page.get_by_text("What the model sees").click()
    page.locator("#model-view img").wait_for()
    save_screenshot(page, "model_view")


def test_label_scores(open_page: OpenPage, save_screenshot: SaveScreenshot) -> None:
    page = open_page()
    page.get_by_label("A day with swimming").check()
    wait_for(page, "#day-status", "A day with swimming")
    page.locator("#labels textarea").fill("swimming, tennis, reading")
    page.get_by_role("button", name="Score labels").click()
    text = wait_for(page, "#score-status", "Top of 3 labels")
    page.locator("#scores li").nth(2).wait_for()
    page.locator("#timeline img").wait_for()
    shown = page.locator("#scores").inner_text()
    assert all(label in shown for label in ("swimming", "tennis", "reading"))
    assert re.search(r"Top of 3 labels: (swimming|tennis|reading), \d+%", text)
    save_screenshot(page, "labels")
    page.locator("#labels textarea").fill("swimming")
    page.get_by_role("button", name="Score labels").click()
    wait_for(page, "#score-status", "at least two labels")
    page.locator("#labels textarea").fill("swimming, Swimming")
    page.get_by_role("button", name="Score labels").click()
    wait_for(page, "#score-status", "occurs twice")
    save_screenshot(page, "labels_refused")


def test_captions_are_annotated(open_page: OpenPage, save_screenshot: SaveScreenshot) -> None:
    page = open_page()
    page.get_by_role("tab", name="Caption").click()
    page.get_by_label("All levels").check()
    page.get_by_role("button", name="Generate captions").click()
    page.locator("#captions li").first.wait_for()
    assert page.locator("#captions h3").count() == 2
    assert page.locator("#captions li.confirmed").count() >= 3
    # Captions by the builder are always true; only the model can be wrong.
    builder = page.locator("#captions ul").nth(1)
    assert builder.locator("li.not-confirmed").count() == 0
    save_screenshot(page, "captions")


def test_caption_search(open_page: OpenPage, save_screenshot: SaveScreenshot) -> None:
    page = open_page()
    page.get_by_role("tab", name="Search").click()
    page.locator("#query textarea, #query input").first.fill("a day with swimming")
    page.get_by_role("button", name="Search").click()
    wait_for(page, "#search-status", "Top 6 of 200 days")
    assert page.locator("#found input[type=radio]").count() == 6
    save_screenshot(page, "search")
    page.locator("#found input[type=radio]").first.check()
    wait_for(page, "#day-status", "Found: ")
    save_screenshot(page, "search_opened")
    page.get_by_label("the days I uploaded").check()
    page.get_by_role("button", name="Search").click()
    wait_for(page, "#search-status", "There is no upload yet")


def test_upload_table(open_page: OpenPage, save_screenshot: SaveScreenshot, table: Path) -> None:
    page = open_page()
    assert page.get_by_label("Time zone of your recording").input_value() == "Europe/Rome"
    upload(page, table)
    wait_for(page, "#read-status", "Read 2 days from my days.csv")
    text = wait_for(page, "#day-status", "From your file: Fri 01 Mar 2024")
    assert "nothing logged" in text
    assert "steps" in (page.locator("#day img").get_attribute("alt") or "")
    save_screenshot(page, "upload_table")
    page.get_by_label("Day of your file").click()
    page.get_by_role("option", name="Sat 02 Mar 2024").click()
    wait_for(page, "#day-status", "Sat 02 Mar 2024")
    page.get_by_role("button", name="Score labels").click()
    wait_for(page, "#score-status", "Top of 6 labels")
    page.get_by_role("tab", name="Search").click()
    page.get_by_label("the days I uploaded").check()
    page.get_by_role("button", name="Search").click()
    wait_for(page, "#search-status", "Top 2 of 2 days")
    assert page.external_requests == []


def test_upload_parquet(open_page: OpenPage, tmp_path: Path) -> None:
    write_days(simulate_days(2, seed=8, timezone="Europe/Rome"), tmp_path / "days")
    page = open_page()
    upload(page, next((tmp_path / "days").rglob("*.parquet")))
    wait_for(page, "#read-status", "Read 2 days")


def test_upload_takeout_zip(open_page: OpenPage, real_data: Path, tmp_path: Path) -> None:
    """Uses a real export, so no screenshot is saved."""
    target = tmp_path / "takeout.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((real_data / "fitbit_takeout").rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(real_data / "fitbit_takeout"))
    page = open_page()
    upload(page, target)
    page.set_default_timeout(120_000)
    wait_for(page, "#read-status", r"Read \d+ days from takeout.zip")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("holiday.jpg", b"\xff\xd8\xff", "has an unsupported format. Upload a Fitbit"),
        ("empty.csv", b"", "empty.csv is empty"),
        ("broken.zip", b"PK\x03\x04 and then nothing", "broken.zip"),
        ("letters.csv", b"time,HR\n2024-03-01 00:00,fast\n", "HR"),
        ("kelvin.csv", KELVIN, "kelvin"),
    ],
)
def test_invalid_files_show_message(
    open_page: OpenPage, save_screenshot: SaveScreenshot, tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    page = open_page()
    (tmp_path / name).write_bytes(content)
    upload(page, tmp_path / name)
    text = wait_for(page, "#read-status:has(.error)", words)
    assert "Traceback" not in text
    assert str(tmp_path) not in text
    assert "/gradio/" not in text
    save_screenshot(page, f"bad_{Path(name).stem}")
    # The previous day is kept and can still be queried.
    page.get_by_role("button", name="Score labels").click()
    wait_for(page, "#score-status", "Top of 6 labels")


def test_phone_layout(open_page: OpenPage, save_screenshot: SaveScreenshot, table: Path) -> None:
    page = open_page("narrow")
    upload(page, table)
    wait_for(page, "#read-status", "Read 2 days")
    page.get_by_role("button", name="Score labels").click()
    page.locator("#scores li").nth(5).wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    save_screenshot(page, "phone_labels")
    page.get_by_role("tab", name="Caption").click()
    page.get_by_role("button", name="Generate captions").click()
    page.locator("#captions li").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    save_screenshot(page, "phone_captions")
    page.get_by_role("tab", name="Search").click()
    page.get_by_role("button", name="Search").click()
    wait_for(page, "#search-status", "Top")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    save_screenshot(page, "phone_search")
    dark = open_page("narrow", "dark")
    save_screenshot(dark, "phone_dark")


def test_keyboard_navigation(open_page: OpenPage, save_screenshot: SaveScreenshot) -> None:
    """Reaches scores, captions and search without a mouse."""
    page = open_page()

    def press_until(name: str, key: str = "Tab", most: int = 60) -> None:
        for _ in range(most):
            page.keyboard.press(key)
            focused = page.evaluate(NAME_OF_FOCUS)
            if name in focused:
                return
        raise AssertionError(f"{name!r} cannot be reached with {key}; the focus ended on {focused!r}")

    press_until("Time zone of your recording")
    page.keyboard.press("Control+a")
    page.keyboard.type("Tokyo")
    page.get_by_role("option", name="Asia/Tokyo").wait_for()
    page.keyboard.press("Enter")
    page.wait_for_function(
        """document.querySelector("input[aria-label='Time zone of your recording']").value === "Asia/Tokyo" """
    )
    press_until("A day with swimming", "Shift+Tab")
    page.keyboard.press("Space")
    wait_for(page, "#day-status", "A day with swimming")
    press_until("Labels, separated by commas")
    page.keyboard.press("Control+a")
    page.keyboard.type("swimming, golf")
    press_until("Score labels")
    save_screenshot(page, "keyboard_focus")
    page.keyboard.press("Enter")
    wait_for(page, "#score-status", "Top of 2 labels")
    press_until("Labels, separated by commas", "Shift+Tab")
    press_until("Labels", "Shift+Tab")
    page.keyboard.press("ArrowRight")
    if page.get_by_role("tab", name="Caption").get_attribute("aria-selected") != "true":
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
    press_until("Generate captions")
    # Dropdowns close when they lose focus, so that nothing covers the page.
    assert not any(found.is_visible() for found in page.locator("[role=listbox]").all())
    page.keyboard.press("Enter")
    page.locator("#captions li").first.wait_for()
    save_screenshot(page, "keyboard_captions")
    press_until("What was logged, with times", "Shift+Tab")
    page.keyboard.press("Space")
    press_until("Generate captions")
    page.keyboard.press("Enter")
    page.locator("#captions ul").nth(1).filter(has_text=re.compile(r"\d\d:\d\d")).wait_for()
    press_until("Caption", "Shift+Tab")
    page.keyboard.press("ArrowRight")
    if page.get_by_role("tab", name="Search").get_attribute("aria-selected") != "true":
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
    press_until("Query sentence")
    page.keyboard.press("Enter")
    wait_for(page, "#search-status", "Top 6 of 200 days")
    press_until("0.")
    page.keyboard.press("Space")
    wait_for(page, "#day-status", "Found: ")


# Gradio's label for the drop area is "Click to upload or drop files", but its text is different.
UPSTREAM = ("label-content-name-mismatch", "upload-container")
"""A rule violated by a Gradio component that the page cannot fix, and the class of that component."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility_rules(open_page: OpenPage, save_screenshot: SaveScreenshot, scheme: str) -> None:
    """Checks contrast, names, roles and headings with the rules of axe-core (WCAG 2 and best practices)."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = open_page("wide", scheme)

    def check(where: str) -> None:
        page.wait_for_timeout(800)  # elements have low contrast while they fade in
        broken = {
            (rule["id"], node["html"])
            for rule in axe.run(page).response["violations"]
            for node in rule["nodes"]
            if not (rule["id"] == UPSTREAM[0] and UPSTREAM[1] in node["html"])
        }
        assert not broken, where

    check("first page")
    page.get_by_text("What the model sees").click()
    page.locator("#model-view img").wait_for()
    page.get_by_role("button", name="Score labels").click()
    page.locator("#scores li").first.wait_for()
    check("labels")
    page.get_by_role("tab", name="Caption").click()
    page.get_by_role("button", name="Generate captions").click()
    page.locator("#captions li").first.wait_for()
    check("captions")
    page.get_by_role("tab", name="Search").click()
    page.get_by_label("the days I uploaded").check()
    page.get_by_role("button", name="Search").click()
    wait_for(page, "#search-status", "There is no upload yet")
    check("a refused search")
    page.get_by_label("200 simulated days").check()
    page.get_by_role("button", name="Search").click()
    page.locator("#found input").first.wait_for()
    check("search")
