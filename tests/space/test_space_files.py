"""The Space's folder and backend: metadata, requirements, samples, uploads and caption annotations."""

from __future__ import annotations

import configparser
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from sensorlm_hf.data.simulate import simulate_days
from sensorlm_hf.days import SensorDay
from sensorlm_hf.processing import SensorLMFeatureExtractor

ROOT = Path(__file__).resolve().parents[2]
SPACE = ROOT / "examples" / "space"


@pytest.fixture(scope="module")
def load() -> Iterator[Callable[[str], Any]]:
    """Imports a module of the Space by name, as `app.py` does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SPACE))
        yield __import__
        for name in [name for name in sys.modules if name.startswith("space_")]:
            del sys.modules[name]


@pytest.fixture(scope="module")
def extractor() -> SensorLMFeatureExtractor:
    return SensorLMFeatureExtractor()


def _table(path: Path, minutes: int = 1440, start: str = "2024-03-01", **columns: Any) -> Path:
    times = pd.date_range(start, periods=minutes, freq="min")
    pd.DataFrame({"time": times, **(columns or {"HR": np.full(minutes, 61.5)})}).to_csv(path, index=False)
    return path


def test_space_metadata() -> None:
    text = (SPACE / "README.md").read_text(encoding="utf-8")
    metadata = yaml.safe_load(text.split("---")[1])
    assert metadata["sdk"] == "gradio"
    assert (SPACE / metadata["app_file"]).is_file()
    assert metadata["license"] == "apache-2.0"
    assert len(metadata["short_description"]) <= 60
    assert {"title", "emoji", "colorFrom", "colorTo", "sdk_version"} <= set(metadata)
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split() if "==" in line[1:])
    assert metadata["sdk_version"] == pins["gradio"]


def test_requirements_match_package() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lines = (SPACE / "requirements.txt").read_text(encoding="utf-8").splitlines()
    named = [line for line in lines if line[0] not in "#-"]
    assert named[0].startswith("sensorlm-hf")
    extras = {name: lines.split() for name, lines in setup["options.extras_require"].items()}
    needed = {*setup["options"]["install_requires"].split(), *extras["eval"], *extras["plot"]}
    assert named[1:] == sorted(needed - {"sensorlm-hf[plot]"})


def test_sample_days_match_their_names(load: Callable[[str], Any]) -> None:
    samples = load("space_days").sample_days()
    assert len(samples) == 5
    for title, day in samples.items():
        assert day.labels["simulated"] is True
        activity = str(day.labels["main_activity"])
        assert activity in title or (activity == "none" and title == "A day without exercise")


def test_upload(load: Callable[[str], Any], tmp_path: Path, extractor: SensorLMFeatureExtractor) -> None:
    upload = load("space_days").read_upload(_table(tmp_path / "a.csv", 2 * 1440), "Europe/Rome", extractor)
    assert len(upload.days) == 2
    assert upload.message == "Read 2 days from a.csv."
    assert upload.days[0].channel("HR")[0] == 61.5
    assert upload.days[0].start.isoformat() == "2024-03-01T00:00:00+01:00"
    assert upload.days[0].subject_id == "a", "the heading should not show the subject `unknown`"


def test_long_uploads_are_truncated_with_note(
    load: Callable[[str], Any], tmp_path: Path, extractor: SensorLMFeatureExtractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = load("space_days")
    monkeypatch.setattr(module, "MOST_DAYS", 1)
    upload = module.read_upload(_table(tmp_path / "a.csv", 2 * 1440), "UTC", extractor)
    assert len(upload.days) == 1
    assert "only the first 1 are shown" in upload.message


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.png", b"x", "has an unsupported format. Upload a Fitbit"),
        ("a.csv", b"", "a.csv is empty"),
        ("a.csv", b"time,HR\n2024-03-01 00:00,fast\n", "a.csv, line 2: column 'HR'"),
        ("a.csv", b"time,pulsation\n2024-03-01 00:00,60\n", "pulsation|no column"),
        ("a.zip", b"PK\x03\x04 and then nothing", "a.zip"),
        ("a.parquet", b"PAR1 no more", "a.parquet: not a readable Parquet file"),
        ("a.npy", b"\x93NUMPY", "a.npy: not a readable"),
        ("a.csv", b"time,HR\n2024-03-01 00:00,\n", "contains no values of any channel"),
    ],
)
def test_invalid_uploads_show_message(
    load: Callable[[str], Any],
    tmp_path: Path,
    extractor: SensorLMFeatureExtractor,
    name: str,
    content: bytes,
    words: str,
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=words) as caught:
        load("space_days").read_upload(tmp_path / name, "Europe/Rome", extractor)
    assert str(tmp_path) not in str(caught.value)


def test_unit_errors_are_readable(
    load: Callable[[str], Any], tmp_path: Path, extractor: SensorLMFeatureExtractor
) -> None:
    path = _table(tmp_path / "warm.csv", wrist_temperatures=np.full(1440, 310.0))
    with pytest.raises(ValueError, match=r"warm\.csv: 1440 of the 1440.*kelvin") as caught:
        load("space_days").read_upload(path, "UTC", extractor)
    assert "implausible=" not in str(caught.value)
    assert "Item" not in str(caught.value)


def test_time_zones(load: Callable[[str], Any]) -> None:
    zones = load("space_days").time_zones()
    assert {"UTC", "Europe/Rome", "America/New_York"} <= set(zones)
    assert len(zones) == len(set(zones)) > 300


@pytest.fixture(scope="module")
def answers(load: Callable[[str], Any]) -> Any:
    pytest.importorskip("sensorlm_hf.metrics.faithfulness")
    return load("space_answers")


@pytest.fixture(scope="module")
def day() -> SensorDay:
    return next(day for day in simulate_days(20, seed=5, days_per_person=1) if len(day.events) > 2)


def test_split_sentences(answers: Any) -> None:
    text = "Heart: the mean was 62.5 bpm. At 14:00, it rose! Was it?  Yes"
    assert answers.split_sentences(text) == ["Heart: the mean was 62.5 bpm.", "At 14:00, it rose!", "Was it?", "Yes"]
    assert answers.split_sentences("") == []


def test_only_true_sentences_are_confirmed(answers: Any, day: SensorDay) -> None:
    from sensorlm_hf.processing.captions import CaptionBuilder

    for kind in answers.CAPTION_KINDS.values():
        caption = CaptionBuilder(key=kind, time_format="clock", units=True)(day)
        for sentence in answers.check_sentences(caption, day):
            assert sentence.confirmed == sentence.claims, sentence.text
    other = replace(day, values=np.roll(day.values, 500, axis=0), events=())
    caption = CaptionBuilder(key="high_middle_caption", time_format="clock")(day)
    checked = answers.check_sentences(caption, other)
    assert sum(sentence.confirmed for sentence in checked) < sum(sentence.claims for sentence in checked) / 2


def test_scores_captions_and_search(answers: Any, day: SensorDay) -> None:
    model = answers.Answers()
    assert model.is_demo_model
    scores, _ = model.score(day, "running, yoga\nswimming", "A day with {}.")
    assert set(scores) == {"running", "yoga", "swimming"}
    assert sum(scores.values()) == pytest.approx(1, abs=1e-5)
    assert len(model.captions(day, next(iter(answers.CAPTION_KINDS)))) == 2
    days = simulate_days(5, seed=6, days_per_person=1)
    found = model.search("a day with running", days, most=3)
    assert [item.similarity for item in found] == sorted((item.similarity for item in found), reverse=True)
    assert len(found) == 3
    for arguments, words in (
        (("running", "A day with {}."), "at least two labels"),
        (("running, Running", "A day with {}."), "twice"),
        (("running, yoga", "A day"), r"must contain \{\}"),
        ((", ".join(map(str, range(60))), "{}"), "60 labels"),
    ):
        with pytest.raises(ValueError, match=words):
            model.score(day, *arguments)
    with pytest.raises(ValueError, match="Enter a query sentence"):
        model.search("  ", days)


def test_user_input_is_escaped(answers: Any, load: Callable[[str], Any]) -> None:
    html = load("space_html")
    nasty = "<script>alert(1)</script>"
    page = html.status(nasty, error=True) + html.scores({nasty: 1.0}) + html.notice(False, nasty)
    page += html.captions([(nasty, [answers.Sentence(nasty, 3, 1)])])
    page += html.opening(nasty)
    assert "<script>" not in page
    assert page.count("&lt;script&gt;") == 6
    assert "1 of 3 statements confirmed" in page
