"""The demo with tiny random models: scores, day selection, HTML page and terminal output."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import replace
from datetime import date, timedelta
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from rich.console import Console

from sensorlm_hf.activities import ACTIVITIES
from sensorlm_hf.data.simulate import simulate_days
from sensorlm_hf.days import Event, SensorDay
from sensorlm_hf.demo import (
    DemoResult,
    LabelScore,
    NearestCaption,
    built_in_day,
    choose_day,
    print_result,
    read_source,
    run,
    run_demo,
    write_report,
)
from sensorlm_hf.demo.compute import _library, _search
from sensorlm_hf.demo.report import next_steps
from sensorlm_hf.demo.sources import DEMO_SEED
from sensorlm_hf.embedding import encode_sensor, encode_text
from sensorlm_hf.evaluation.tasks import get_task
from sensorlm_hf.modeling import SensorLMConfig, SensorLMModel, pretraining_class
from sensorlm_hf.processing import SensorLMFeatureExtractor, SensorLMProcessor, train_tokenizer
from sensorlm_hf.processing.captions import CaptionBuilder, opening_sentence

NASTY = '<script>alert("x")</script>&\'[bold]'


@pytest.fixture(scope="module")
def days() -> list[SensorDay]:
    return simulate_days(8, seed=11, timezone="Europe/Rome", days_per_person=2)


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory: pytest.TempPathFactory, days: list[SensorDay]) -> Callable[[str], Path]:
    """Returns the folder of a tiny random model, created on first use."""
    root = tmp_path_factory.mktemp("models")
    tokenizer = train_tokenizer(CaptionBuilder().batch(days), vocab_size=400, max_length=64)
    extractor = SensorLMFeatureExtractor()

    def make(objective: str) -> Path:
        folder = root / objective
        if not folder.exists():
            torch.manual_seed(0)
            config = SensorLMConfig.from_size(
                objective,
                "tiny",
                hidden_size=32,
                intermediate_size=64,
                num_attention_heads=2,
                sensor_config={"num_hidden_layers": 2},
                text_config={"num_hidden_layers": 2},
                num_decoder_layers=1,
                patch_minutes=60,
                patch_channels=13,
                channel_keys=list(extractor.channel_keys),
                vocab_size=len(tokenizer),
                max_position_embeddings=64,
            )
            model = pretraining_class(config)(config)
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter.add_(0.05 * torch.randn_like(parameter))
            model.save_pretrained(folder)
            SensorLMProcessor(extractor, tokenizer).save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="module")
def coca(folder_of: Callable[[str], Path], days: list[SensorDay]) -> DemoResult:
    return run_demo(days[0], folder_of("coca"), n_library=12, n_nearest=4)


# Scores


def test_scores_match_model(coca: DemoResult, folder_of: Callable[[str], Path], days: list[SensorDay]) -> None:
    model = SensorLMModel.from_pretrained(folder_of("coca")).eval()
    processor = SensorLMProcessor.from_pretrained(folder_of("coca"))
    embedding = encode_sensor(model, processor, days[:1])[0]
    task = get_task("activity")
    scores = {}
    for name, phrases in zip(task.class_names, task.phrases, strict=True):
        texts = encode_text(model, processor, [t.format(p) for p in phrases for t in task.templates]).mean(axis=0)
        scores[name] = model.logit_scale.exp().item() * embedding @ (texts / np.linalg.norm(texts))
    total = sum(np.exp(score) for score in scores.values())
    assert len(coca.labels) == 20 == sum(activity.benchmark for activity in ACTIVITIES)
    for item in coca.labels:
        assert item.score == pytest.approx(np.exp(scores[item.label]) / total, rel=1e-3)
    assert [item.score for item in coca.labels] == sorted((item.score for item in coca.labels), reverse=True)
    assert coca.embedding_shape == embedding.shape
    assert coca.embedding_norm == pytest.approx(1, abs=1e-5)
    for near in coca.nearest:
        own = encode_text(model, processor, [near.caption])[0]
        assert near.similarity == pytest.approx(float(own @ embedding), abs=1e-4)


def test_library_and_ranks(coca: DemoResult, days: list[SensorDay]) -> None:
    assert coca.library_size == 12
    assert 1 <= (coca.own_rank or 0) <= 12
    own = [near for near in coca.nearest if near.own]
    assert [near.rank for near in own] == [coca.own_rank]
    assert own[0].caption == coca.built_caption
    assert [near.rank for near in coca.nearest[:4]] == [1, 2, 3, 4]
    assert len({near.caption for near in coca.nearest}) == len(coca.nearest)
    similarities = [near.similarity for near in coca.nearest]
    assert similarities == sorted(similarities, reverse=True)


def test_library_captions_are_unique(folder_of: Callable[[str], Path], days: list[SensorDay]) -> None:
    processor = SensorLMProcessor.from_pretrained(folder_of("coca"))
    arguments = (days[0].schema, "high_level_summary_caption", 0)
    captions = _library(*arguments, 30, "none", processor, 60)
    assert len(set(captions)) == 30
    without = _library(*arguments, 29, captions[3], processor, 60)
    assert captions[3] not in without
    assert without[:3] == captions[:3]


def test_search_counts_ties_against_own_caption() -> None:
    texts = np.array([[0.5, 0.0], [0.9, 0.0], [0.5, 0.0], [-1.0, 0.0]])
    nearest, rank = _search(np.array([1.0, 0.0]), texts, ["own", "b", "tie", "d"], 2)
    assert rank == 3
    assert [(n.rank, n.caption, n.own) for n in nearest] == [(1, "b", False), (2, "tie", False), (3, "own", True)]


def test_other_result_fields(coca: DemoResult, days: list[SensorDay]) -> None:
    assert coca.sample_id == days[0].sample_id
    assert coca.source == "simulated"
    assert not coca.demo_model
    assert coca.built_caption
    assert isinstance(coca.generated_caption, str)
    assert coca.observed_minutes == {key: int(np.isfinite(days[0].channel(key)).sum()) for key in days[0].schema.keys}
    assert {"load the model", "embed the day", "score labels", "write a caption", "search captions"} <= set(
        coca.seconds
    )
    assert json.loads(json.dumps(coca.to_dict()))["own_rank"] == coca.own_rank


@pytest.mark.parametrize(("objective", "captions", "searches"), [("cap", True, False), ("clip", False, True)])
def test_tasks_follow_objective(
    objective: str,
    captions: bool,
    searches: bool,
    folder_of: Callable[[str], Path],
    days: list[SensorDay],
    tmp_path: Path,
) -> None:
    result = run_demo(days[0], folder_of(objective), n_library=4, labels=["running", "reading"])
    assert {item.label for item in result.labels} == {"running", "reading"}
    assert sum(item.score for item in result.labels) == pytest.approx(1, abs=1e-5)
    assert (result.generated_caption is not None) is captions
    assert (result.own_rank is not None) is bool(result.nearest) is searches
    assert any(objective in note for note in result.notes)
    page = write_report(result, days[0], tmp_path).read_text(encoding="utf-8")
    assert ("no decoder" in page) is not captions
    assert ("no text embedding" in page) is not searches


def test_logged_labels_are_marked(folder_of: Callable[[str], Path], days: list[SensorDay]) -> None:
    day = replace(days[0], events=(Event("activity", "Outdoor Bike", 600, 660),))
    result = run_demo(day, folder_of("coca"), n_library=2, labels=["outdoor cycling", "yoga"])
    assert {item.label: item.logged for item in result.labels} == {"outdoor cycling": True, "yoga": False}


def test_invalid_arguments_raise(folder_of: Callable[[str], Path], days: list[SensorDay], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="n_library"):
        run_demo(days[0], folder_of("coca"), n_library=1)
    with pytest.raises(ValueError, match="No model could be loaded"):
        run_demo(days[0], tmp_path)
    with pytest.raises(ValueError, match="caption"):
        run_demo(days[0], folder_of("coca"), caption_key="poem")


# Days


def test_built_in_day_is_complete_and_held_out() -> None:
    day = built_in_day()
    assert day == built_in_day()
    assert day.subject_id.startswith(f"sim{DEMO_SEED}-")
    assert day.labels["simulated"] is True
    assert (day.start.hour, day.start.minute, len(day)) == (0, 0, 1440)
    logged = [e for e in day.events if e.label == day.labels["main_activity"] and e.duration >= 30]
    assert min(abs(e.start_minute - int(day.labels["main_activity_start"])) for e in logged) <= 5
    assert all(np.isfinite(day.channel(key)).mean() > 0.8 for key in ("HR", "steps", "eda_level_real"))
    wider = built_in_day("sensorlm-34")
    assert (wider.subject_id, wider.start, wider.schema.name) == (day.subject_id, day.start, "sensorlm-34")


def test_choose_day(days: list[SensorDay]) -> None:
    plain = [replace(day, events=(Event("activity", "meal", 700, 730),)) for day in days[:3]]
    active = replace(days[1], events=(Event("activity", "Bike", 700, 730),))
    sparse = active.crop(600, 800)
    assert choose_day([*plain, sparse]) is sparse  # an exercise takes precedence over more observed minutes
    assert choose_day([*plain, sparse, active]) is active
    assert choose_day(iter(plain)) is max(plain, key=lambda day: int(day.mask.sum()))
    wanted = plain[2].start.date()
    assert choose_day([*plain, active], wanted.isoformat()).start.date() == wanted
    assert choose_day([*plain, active], wanted).start.date() == wanted


def test_missing_day_raises(days: list[SensorDay]) -> None:
    first = replace(days[0], start=days[0].start.replace(year=2024, month=2, day=28))
    there = [replace(first, start=first.start + timedelta(days=d)) for d in (0, 1, 2, 9)]
    with pytest.raises(ValueError, match="it has 2024-02-28 to 2024-03-01, 2024-03-08"):
        choose_day(there, "2020-07-05")
    with pytest.raises(ValueError, match="no day"):
        choose_day([])
    for wrong in ("5 July", "2020-13-01", ""):
        with pytest.raises(ValueError, match="YYYY-MM-DD"):
            choose_day(there, wrong)
    assert choose_day(there, date(2024, 2, 29)) is there[1]


def test_day_sources(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one source"):
        read_source(fitbit="a", table="b")
    with pytest.raises(ValueError, match="applies to a recording only"):
        read_source(date="2020-07-05")
    with pytest.raises(FileNotFoundError):
        read_source(mmash=tmp_path / "nowhere")
    chosen = read_source(table=_table(tmp_path), timezone="Europe/Rome")
    assert chosen.source == "table"
    assert chosen.day.start.date() == date(2024, 5, 8)  # the more complete of two days
    assert read_source(table=_table(tmp_path), timezone="Europe/Rome", date="2024-05-07").day.mask.sum() == 240


def _table(folder: Path) -> Path:
    """Minutes from 22:00 on 7 May to 10:00 on 8 May 2024, local time."""
    times = pd.date_range("2024-05-07 22:00", periods=720, freq="min")
    rng = np.random.default_rng(3)
    path = folder / "minutes.csv"
    pd.DataFrame({"time": times, "HR": 60 + 5 * rng.random(720), "steps": rng.integers(0, 9, 720)}).to_csv(
        path, index=False
    )
    return path


# The page


class Page(HTMLParser):
    """Checks tag nesting and collects elements for the tests."""

    VOID = frozenset({"meta", "img", "source", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def test_page_is_complete_and_self_contained(coca: DemoResult, days: list[SensorDay], tmp_path: Path) -> None:
    path = write_report(coca, days[0], tmp_path / "new" / "demo")
    assert path == tmp_path / "new" / "demo" / "report.html"
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert text.startswith("<!DOCTYPE html>")
    assert page.all("html") == [{"lang": "en"}]
    for tag, attrs in page.tags:
        assert tag not in ("script", "link", "iframe")
        for name in ("src", "srcset", "href"):
            assert (attrs.get(name) or "data:").startswith("data:image/svg+xml;base64,") or name not in attrs
    assert "url(" not in text
    opening = f'<p class="lead">{escape(opening_sentence(days[0]))}</p>'
    assert 0 < text.index(opening) < text.index("<figure>") < text.index("By the model, from the sensors alone")
    images = page.all("img")
    assert len(images) == 2
    assert all(len(image["alt"] or "") > 40 for image in images)
    assert "mean" in (images[0]["alt"] or "")
    sources = [source["media"] or "" for source in page.all("source")]
    assert sum("dark" in media for media in sources) == 4
    assert sum("max-width" in media for media in sources) == 4
    assert all(head.get("scope") in ("col", "row") for head in page.all("th"))
    words = " ".join(" ".join(page.text).split())
    for expected in (
        coca.built_caption,
        "not a medical device",
        "simulated",
        f"ranks {coca.own_rank} of 12",
        "6.5",
        "heart rate",
        "Score labels",
        "this day’s caption",
        "simulate_days",
        "Draw the pictures",
    ):
        assert expected in words, expected
    assert words.count("logged that day") == sum(item.logged for item in coca.labels)
    for item in coca.labels:
        assert item.label in words
        assert f"{item.score:.3f}" in words
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport"' in text
    assert re.search(r"/(root|tmp|work|home)/", words.replace(coca.model, "").replace(repr(coca.model), "")) is None


def test_page_is_escaped(coca: DemoResult, days: list[SensorDay], tmp_path: Path) -> None:
    day = replace(
        days[0],
        subject_id=NASTY,
        events=(Event("activity", NASTY, 600, 660), Event("mood", NASTY, 700, 700)),
    )
    result = replace(
        coca,
        sample_id=day.sample_id,
        model=NASTY,
        labels=(LabelScore(NASTY, 0.7, True), LabelScore("b", 0.3)),
        built_caption=NASTY,
        generated_caption=NASTY,
        nearest=(NearestCaption(1, 0.9, NASTY, True),),
        own_rank=1,
        notes=(NASTY,),
        seconds={NASTY: 1.0},
    )
    page = Page(write_report(result, day, tmp_path).read_text(encoding="utf-8"))
    assert page.all("script") == []
    assert "".join(page.text).count(NASTY) >= 8


def test_writing_again_replaces_report(coca: DemoResult, days: list[SensorDay], tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("old", encoding="utf-8")
    first = write_report(coca, days[0], tmp_path).read_bytes()
    assert len(first) > 100_000
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(NotADirectoryError, match="folder"):
        write_report(coca, days[0], tmp_path / "file")
    with pytest.raises(ValueError, match="the day is"):
        write_report(coca, days[1], tmp_path)


def test_next_steps_code_runs(coca: DemoResult) -> None:
    lines = next_steps(coca)
    out = io.StringIO()
    with redirect_stdout(out):
        exec(compile(lines, "report", "exec"), {})
    assert "(32,)" in out.getvalue()
    assert "'label': " in out.getvalue()
    assert "generated_text" in out.getvalue()
    for source in ("fitbit", "mmash", "table"):
        compile(next_steps(replace(coca, source=source)), "report", "exec")
    assert "model=" not in next_steps(replace(coca, demo_model=True))


# The terminal


@pytest.fixture
def consoles() -> tuple[Console, Console]:
    return (
        Console(file=io.StringIO(), width=100, highlight=False),
        Console(file=io.StringIO(), width=100, highlight=False, force_terminal=True, color_system="standard"),
    )


def test_print_result(coca: DemoResult, days: list[SensorDay], consoles: tuple[Console, Console]) -> None:
    plain, terminal = consoles
    result = replace(coca, labels=(LabelScore("[bold]odd[/nothing]", 0.75, True), *coca.labels[1:]), notes=("[red]n",))
    for console in consoles:
        print_result(result, days[0], Path("demo/report.html"), console)
    text, coloured = plain.file.getvalue(), terminal.file.getvalue()  # type: ignore[attr-defined]
    assert "\x1b" not in text
    assert "━" not in text
    assert "\x1b[" in coloured
    for expected in ("[bold]odd[/nothing]", "0.750", "logged that day", "[red]n", "demo/report.html", "load the model"):
        assert expected in text
        assert expected in coloured
    assert f"ranks {coca.own_rank}" in text
    words = " ".join(text.split())
    assert all(word in words for word in coca.built_caption.split())


def test_demo_command(folder_of: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = {"table": _table(tmp_path), "timezone": "Europe/Rome", "model": folder_of("clip")}
    assert run(**options, output_dir=tmp_path / "out", json_output=True) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["source"] == "table"
    assert printed["library_size"] == 200
    assert printed["observed_minutes"]["HR"] == 600
    assert Path(printed["report"]).is_file()
    assert "recorded, not simulated" in Path(printed["report"]).read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="No SensorLM model"):
        run(model=tmp_path / "nowhere")
