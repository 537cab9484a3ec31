"""Captions: every sentence is parsed and checked against the facts; determinism; events; clock times; pickling."""

from __future__ import annotations

import copy
import itertools
import json
import pickle
import re
import string
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from caption_days import make_day, make_days
from datasets.fingerprint import Hasher

import sensorlm_hf
from sensorlm_hf.days import Event, SensorDay
from sensorlm_hf.processing.captions import (
    CAPTION_KEYS,
    TOKEN_BUDGETS,
    CaptionBuilder,
    Wording,
    estimate_tokens,
    get_wording,
    list_languages,
)
from sensorlm_hf.schema import SensorSchema, get_schema

DAYS = make_days(24)
START = datetime(2024, 3, 1, tzinfo=timezone.utc)


def bare_day(*events: Event, minutes: int = 1440, values: np.ndarray | None = None, **more: object) -> SensorDay:
    values = np.full((minutes, 26), np.nan) if values is None else values
    return SensorDay(values, START, "p", "sensorlm-26", events, **more)  # type: ignore[arg-type]


class Reader:
    """Parses captions by turning every template into a regular expression and every match into facts."""

    def __init__(self, wording: Wording, schema: SensorSchema, time_format: str) -> None:
        self.wording = wording
        self.patterns: list[tuple[str, str, re.Pattern[str]]] = []
        number = r"-?\d+" + re.escape(wording.decimal) + r"\d"
        time = r"\d+" if time_format == "minutes" else r"\d\d:\d\d"
        one, two = wording.time[time_format], wording.span[time_format]
        groups = {name: f"(?P<{name}>{number})" for name in ("mean", "max", "min", "std")}
        first, last = f"(?P<start>{time})", f"(?P<end>{time})"
        groups["span"] = self.fill(two, {"start": first, "end": last})
        groups["start"], groups["end"] = self.fill(one, {"time": first}), self.fill(one, {"time": last})
        groups["time"] = self.fill(one, {"time": f"(?P<time>{time})"})
        groups["moment"] = self.fill((wording.moment or wording.time)[time_format], {"time": f"(?P<time>{time})"})
        for channel in schema:
            label = {name: re.escape(text) for name, text in wording.label(channel.label).items()}
            for sentence in wording.statistics:
                self.add("statistics", channel.key, sentence, {**groups, **label})
            for kind, alternatives in wording.trend_words.items():
                for words in alternatives:
                    for sentence in wording.trends:
                        self.add(kind, channel.key, sentence, {**groups, **label, **words})
            for kind, alternatives in wording.anomaly_words.items():
                for words in alternatives:
                    for sentence in wording.anomalies:
                        self.add(kind, channel.key, sentence, {**groups, **label, **words})
        for sentence in wording.gaps:
            self.add("gap", "", sentence, groups)
        for sentence in (*wording.no_structure, *wording.no_data):
            self.add("nothing", "", sentence, {})

    def fill(self, template: str, slots: dict[str, str]) -> str:
        parts = []
        for text, slot, _, _ in string.Formatter().parse(template):
            parts.append(re.escape(text))
            if slot is not None:
                value = slots[slot[0].lower() + slot[1:]]
                if slot[0].isupper() and re.match(r"[a-zäöü]+\b", value):
                    value = value[0].upper() + value[1:]
                parts.append(value)
        return "".join(parts)

    def add(self, kind: str, key: str, sentence: str, slots: dict[str, str]) -> None:
        self.patterns.append((kind, key, re.compile(self.fill(sentence, slots))))

    def sentences(self, caption: str) -> list[str]:
        headings = "|".join(map(re.escape, self.wording.groups.values()))
        text = re.sub(rf"(^|(?<=\. ))({headings}): (?=\S)", lambda m: m.group(1), caption)
        return [part if part.endswith(".") else part + "." for part in text.split(". ") if part]

    def read(self, sentence: str) -> list[tuple[str, str, dict[str, str]]]:
        found = [(kind, key, p.fullmatch(sentence)) for kind, key, p in self.patterns]
        return [(kind, key, match.groupdict()) for kind, key, match in found if match]


@pytest.fixture(scope="module", params=[("en", "minutes"), ("en", "clock"), ("de", "minutes"), ("de", "clock")])
def reader(request: pytest.FixtureRequest) -> tuple[str, str, Reader]:
    language, time_format = request.param
    return language, time_format, Reader(get_wording(language), get_schema("sensorlm-26"), time_format)


def is_correct(
    read: tuple[str, str, dict[str, str]], facts: dict, gaps: list[tuple[int, int]], decimal: str, when: dict[int, str]
) -> bool:
    kind, key, slots = read
    if kind == "nothing":
        return True
    if kind == "gap":
        return (slots["start"], slots["end"]) in {(when[s], when[e]) for s, e in gaps}
    if kind == "statistics":
        return all(f"{abs(f):.1f}" == "0.0" if s in ("0,0", "0.0") else f"{f:.1f}" == s.replace(decimal, ".")
                   for s, f in ((slots[n], facts[key][n]) for n in slots))  # fmt: skip
    if kind in ("peak", "drop"):
        return any(slots["time"] == when[minute] and kind == name for minute, name in facts[key]["anomalies"])
    return any(
        (slots["start"], slots["end"], kind) == (when[start], when[end], name)
        for start, end, name in facts[key]["trends"]
    )


def whole_gaps(day: SensorDay) -> list[tuple[int, int]]:
    gone = [*np.isnan(day.values).all(axis=1).tolist(), False]
    spans, start = [], None
    for minute, missing in enumerate(gone):
        if missing and start is None:
            start = minute
        elif not missing and start is not None:
            spans.append((start, minute))
            start = None
    return spans


def test_every_sentence_matches_a_template_and_is_true(reader: tuple[str, str, Reader]) -> None:
    language, time_format, read = reader
    build = CaptionBuilder(language=language, time_format=time_format, seed=3, max_tokens=4000)
    kinds = set()
    for day in DAYS[:8]:
        facts, gaps = build.facts(day), whole_gaps(day)
        when = {m: str(m) if time_format == "minutes" else f"{day.clock(m):%H:%M}" for m in range(1441)}
        for key in ("low_level_caption", "middle_level_caption"):
            for sentence in read.sentences(build(day, key=key)):
                matches = read.read(sentence)
                assert matches, f"no template reads {sentence!r}"
                assert any(is_correct(m, facts, gaps, read.wording.decimal, when) for m in matches), sentence
                kinds |= {kind for kind, _, _ in matches}
    assert kinds >= {"statistics", "increasing", "decreasing", "peak", "drop", "gap"}


@pytest.mark.parametrize("language", list_languages())
@pytest.mark.parametrize("key", CAPTION_KEYS)
def test_captions_are_clean_text_within_budget(language: str, key: str) -> None:
    build = CaptionBuilder(key=key, language=language, units=True)
    words = get_wording(language)
    for day, caption in zip(DAYS, build.batch(DAYS), strict=True):
        assert caption == build(day)
        assert caption == caption.strip()
        assert re.search(r"  | \.|\.\.|,\.| ,|\(\)|%\(|\{|\}|None|nan|-0[.,]0\b|\n", caption) is None, caption
        assert caption.endswith(".")
        assert caption[0] == caption[0].upper()
        for heading in words.groups.values():  # no heading without sentences
            assert re.search(rf"(^|\. ){heading}:( \w+:|$)", caption) is None
        assert estimate_tokens(caption) + 2 <= TOKEN_BUDGETS[key]


def test_english_articles() -> None:
    build = CaptionBuilder(max_tokens=4000)
    for key in CAPTION_KEYS:
        for caption in build.batch(DAYS, keys=key):
            for article, word in re.findall(r"\b(an?) (\w)", caption, flags=re.IGNORECASE):
                assert (article.lower() == "an") == (word.lower() in "aeiou"), caption


def test_captions_depend_only_on_seed_sample_and_key() -> None:
    build = CaptionBuilder(key="high_middle_low_caption", seed=5)
    together = build.batch(DAYS)
    assert together == [CaptionBuilder(key="high_middle_low_caption", seed=5)(day) for day in DAYS]
    assert together[::-1] == build.batch(DAYS[::-1])
    assert together[3:9] == build.batch(DAYS[3:9])
    mixed = [CAPTION_KEYS[i % 8] for i in range(len(DAYS))]
    assert build.batch(DAYS, keys=mixed) == [build(d, key=k) for d, k in zip(DAYS, mixed, strict=True)]
    columns = build.columns(DAYS, CAPTION_KEYS)
    assert {key: build.batch(DAYS, keys=key) for key in CAPTION_KEYS} == columns
    assert CaptionBuilder(key="high_middle_low_caption", seed=6).batch(DAYS) != together
    assert build(DAYS[1], sample_id="another") != together[1]
    assert build(DAYS[1], sample_id=DAYS[1].sample_id) == together[1]


def test_captions_are_identical_across_processes(tmp_path: Path) -> None:
    build = CaptionBuilder(key="high_middle_low_caption", seed=5, units=True)
    (tmp_path / "days.pickle").write_bytes(pickle.dumps((DAYS[:4], build)))
    script = (
        "import json, pickle, sys\n"
        "from datasets import Dataset\n"
        "from datasets.fingerprint import Hasher\n"
        "days, build = pickle.load(open(sys.argv[1], 'rb'))\n"
        "build.batch(days)\n"
        "rows = Dataset.from_dict({'values': [days[0].values[:2].tolist()], 'sample_id': ['x']})\n"
        "mapped = rows.map(build.mapper(), batched=True)._fingerprint\n"
        "print(json.dumps([build.batch(days), mapped, Hasher.hash(build.mapper()), Hasher.hash(build)]))\n"
    )
    source = str(Path(sensorlm_hf.__file__).parents[1])
    outputs = []
    for hash_seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / "days.pickle")],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": source, "HF_HUB_OFFLINE": "1", "HOME": str(tmp_path)},
        )
        outputs.append(json.loads(run.stdout))
    assert outputs[0] == outputs[1]
    assert outputs[0][0] == build.batch(DAYS[:4])
    assert outputs[0][2:] == [Hasher.hash(build.mapper()), Hasher.hash(build)]


def test_channels_are_sampled_per_sample_and_shared_between_keys() -> None:
    schema = get_schema("sensorlm-26")
    read = Reader(get_wording("en"), schema, "minutes")
    build = CaptionBuilder(max_tokens=4000)
    seen = set()
    for seed in range(12):
        day = make_day(7 * seed + 1, gaps=False)
        told = {
            match[0][1]
            for sentence in read.sentences(build(day, key="low_level_caption"))
            if (match := read.read(sentence))
        }
        observed = {c.key for i, c in enumerate(schema) if not np.isnan(day.values[:, i]).all()}
        fixed = {channel.key for channel in schema if channel.in_every_caption} & observed
        extra = told - fixed
        assert fixed <= told
        assert told <= observed
        counts = {group: sum(schema[key].group == group for key in extra) for group in ("Heart", "Activity", "EDA")}
        assert counts == {"Heart": 2, "Activity": 1, "EDA": 1}
        seen |= extra
        middle = build(day, key="middle_level_caption")
        structural = {match[0][1] for sentence in read.sentences(middle) if (match := read.read(sentence))}
        assert structural <= told
    assert len(seen) > 6


def test_at_most_seven_insights_per_group() -> None:
    read = Reader(get_wording("en"), get_schema("sensorlm-26"), "minutes")
    groups = {channel.key: channel.group for channel in get_schema("sensorlm-26")}
    build = CaptionBuilder(key="middle_level_caption", max_tokens=4000)
    most = 0
    for caption in build.batch(DAYS):
        told = [groups.get(match[0][1]) for s in read.sentences(caption) if (match := read.read(s))]
        for group in ("Heart", "Activity", "Sleep", "EDA"):
            assert told.count(group) <= 7
            most = max(most, told.count(group))
    assert most == 7


# Events


def test_summary_lists_names_longest_first() -> None:
    day = bare_day(
        Event("activity", "running", 400, 440),
        Event("activity", "yoga", 500, 590),
        Event("activity", "cooking", 700, 719),
        Event("activity", "running", 800, 850),
        Event("sleep", "nap", 900, 930),
        Event("mood", "Calm", 600, 600),
        Event("mood", "calm", 700, 700),
    )
    caption = CaptionBuilder()(day)
    assert re.search(r"[yY]oga, running and a nap", caption), caption
    assert caption.lower().count("running") == 1
    assert caption.count("calm") == 1
    assert "cooking" not in caption


def test_summary_lists_eight_longest_activities_regardless_of_count() -> None:
    meals = [Event("activity", "meal", 100 * i, 100 * i + 60) for i in range(9)]
    sports = [Event("activity", f"sport {'abcdefgh'[i]}", 1000 + 40 * i, 1021 + 41 * i) for i in range(8)]
    caption = CaptionBuilder()(bare_day(*meals, *sports))
    assert caption.lower().count("meal") == 1
    assert re.findall(r"sport (\w)", caption) == list("hgfedcb")  # seven besides the meal; "a" was the shortest
    nights = [Event("sleep", "sleep", 0, 90), Event("sleep", "sleep", 200, 280), Event("sleep", "nap", 400, 430)]
    assert re.search(r"[sS]leep and a nap", CaptionBuilder()(bare_day(*nights)))


def test_all_events_with_clipped_times() -> None:
    events = [Event("activity", f"sport {'abcdefghij'[i]}", 100 * i, 100 * i + 21 + i) for i in range(10)]
    sleeps = [Event("sleep", "sleep", -120, 300), Event("sleep", "nap", 950, 960), Event("sleep", "sleep", 1380, 1700)]
    caption = CaptionBuilder(key="high_level_all_caption")(bare_day(*events, *sleeps))
    told = re.findall(r"[sS]port (\w)", caption)
    assert told == list("cdefghij")  # the eight longest, in chronological order
    numbers = [int(n) for n in re.findall(r"\d+", caption)]
    expected = [n for i in range(2, 10) for n in (100 * i, 100 * i + 21 + i)] + [0, 300, 1380, 1440]
    assert numbers == expected
    assert "nap" not in caption


def test_activities_are_ranked_by_minutes_inside_window() -> None:
    day = bare_day(Event("activity", "running", -60, 10), Event("activity", "yoga", 1430, 1500))
    for key in ("high_level_summary_caption", "high_level_all_caption"):
        caption = CaptionBuilder(key=key)(day)
        assert caption in get_wording("en").no_events


def test_nothing_observed_and_nothing_logged() -> None:
    words = get_wording("en")
    build = CaptionBuilder()
    assert build(bare_day(), key="low_level_caption") in words.no_data
    assert build(bare_day(), key="middle_level_caption") in words.no_data
    both = build(bare_day(), key="high_middle_low_caption")
    assert sum(both.count(sentence) for sentence in words.no_data) == 1
    assert sum(both.count(sentence) for sentence in words.no_events) == 1
    flat = bare_day(values=np.ones((1440, 26)))
    assert build(flat, key="middle_level_caption") in words.no_structure


def test_combined_keys_are_ordered_from_high_to_low() -> None:
    read = Reader(get_wording("en"), get_schema("sensorlm-26"), "minutes")
    build = CaptionBuilder(max_tokens=4000)
    for day in DAYS[:6]:
        sentences = read.sentences(build(day, key="high_middle_low_caption"))
        kinds = [
            "high" if not (m := read.read(s)) else "low" if m[0][0] == "statistics" else "middle" for s in sentences
        ]
        order = [kinds[0]] + [b for a, b in itertools.pairwise(kinds) if a != b]
        assert order == ["high", "middle", "low"]


# Options


def test_clock_times_across_clock_change() -> None:
    start = datetime(2024, 3, 31, 0, 0, tzinfo=ZoneInfo("Europe/Berlin"))
    day = SensorDay(np.full((1440, 26), np.nan), start, "p", events=(Event("activity", "running", 60, 180),))
    caption = CaptionBuilder(key="high_level_all_caption", time_format="clock")(day)
    assert re.findall(r"\d\d:\d\d", caption) == ["01:00", "04:00"]
    night = SensorDay(
        np.full((1440, 26), np.nan), DAYS[0].start, "p", events=(Event("sleep", "sleep", 30, 500),)
    )  # from 22:30
    caption = CaptionBuilder(key="high_level_all_caption", time_format="clock")(night)
    assert re.findall(r"\d\d:\d\d", caption) == ["23:00", "06:50"]


def test_units_follow_every_number() -> None:
    schema = SensorSchema.from_dict(
        {"name": "one", "channels": [{"key": "HR", "label": "heart rate", "mean": 70, "std": 9, "unit": "bpm",
                                      "in_every_caption": True}]}
    )  # fmt: skip
    day = SensorDay(np.random.default_rng(0).normal(70, 9, (1440, 1)), START, "p", schema)
    plain = CaptionBuilder(schema, "low_level_caption")
    with_units = CaptionBuilder(schema, "low_level_caption", units=True)
    for i in range(60):
        caption = with_units(day, sample_id=str(i))
        assert caption.count(" bpm") == 4
        assert caption.replace(" bpm", "") == plain(day, sample_id=str(i))


def test_imputed_captions_do_not_mention_gaps() -> None:
    words = get_wording("en")
    starts = {sentence.split("{")[0] for sentence in words.gaps}
    day = make_day(1)
    observed = CaptionBuilder(key="middle_level_caption")(day)
    imputed = CaptionBuilder(key="middle_level_caption", imputed=True)(day)
    assert any(start in observed for start in starts)
    assert not any(start in imputed for start in starts)
    clean = make_day(1, gaps=False)
    for key in CAPTION_KEYS:
        assert CaptionBuilder(key=key)(clean) == CaptionBuilder(key=key, imputed=True)(clean)


def test_gaps_are_mentioned_before_groups() -> None:
    read = Reader(get_wording("en"), get_schema("sensorlm-26"), "minutes")
    build = CaptionBuilder(key="high_middle_low_caption", max_tokens=4000)
    caption = build(make_day(1))
    kinds = [match[0][0] for s in read.sentences(caption) if (match := read.read(s))]
    assert kinds[0] == "gap"
    assert "gap" not in kinds[kinds.count("gap") :]  # no group heading precedes them


def test_any_window_length() -> None:
    build = CaptionBuilder()
    days = [make_day(seed, minutes=minutes) for seed, minutes in ((1, 120), (2, 1441), (4, 2880), (7, 35), (8, 120))]
    columns = build.columns(days)
    for key in CAPTION_KEYS:
        assert columns[key] == [build(day, key=key) for day in days]
        assert all(columns[key])


def test_arrays_require_sample_id() -> None:
    values = DAYS[0].values
    build = CaptionBuilder(key="low_level_caption")
    assert build(values, sample_id=DAYS[0].sample_id) == build(DAYS[0])
    with pytest.raises(ValueError, match=r"days\[0\].*sample_id"):
        build(values)
    with pytest.raises(ValueError, match="clock"):
        CaptionBuilder(key="middle_level_caption", time_format="clock")(values, sample_id="x")


def test_labels_with_special_characters() -> None:
    day = bare_day(Event("activity", "100 % {effort} %(label)s", 100, 200), Event("mood", "50 % {ok}", 5, 5))
    for key in ("high_level_summary_caption", "high_level_all_caption"):
        caption = CaptionBuilder(key=key)(day)
        assert "100 % {effort} %(label)s" in caption
        assert "50 % {ok}" in caption
    schema = SensorSchema.from_dict(
        {
            "name": "odd",
            "channels": [{"key": "a", "label": "100 % {x} %s", "mean": 0, "std": 1, "in_every_caption": True}],
        }
    )
    caption = CaptionBuilder(schema, "low_level_caption")(np.ones((1440, 1)), sample_id="s")
    assert "100 % {x} %s" in caption


def test_input_is_not_modified() -> None:
    values = DAYS[1].values.astype(np.float64)
    before = values.copy()
    build = CaptionBuilder(imputed=True)
    build(values, sample_id="x", key="middle_low_caption")
    build.facts(values)
    assert np.array_equal(values, before, equal_nan=True)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"key": "low"}, ValueError, "`key` must be one of low_level_caption"),
        ({"key": None}, ValueError, "`key`"),
        ({"schema": "nope"}, ValueError, "nope"),
        ({"language": "xx"}, ValueError, "'xx', only in de, en"),
        ({"time_format": "utc"}, ValueError, "minutes, clock"),
        ({"seed": 1.5}, TypeError, "`seed`"),
        ({"max_tokens": 3}, ValueError, "at least 16"),
        ({"max_tokens": "many"}, TypeError, "`max_tokens`"),
        ({"tokenizer": 5}, TypeError, "`tokenizer`"),
        ({"paraphraser": "t5"}, TypeError, "`paraphraser`"),
        ({"templates": {}}, TypeError, "`templates`"),
        ({"extra_channels": {"Lung": 1}}, ValueError, "'Lung'"),
        ({"extra_channels": {"Heart": -1}}, ValueError, "'Heart'"),
    ],
)
def test_invalid_arguments_raise(arguments: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        CaptionBuilder(**arguments)


def test_invalid_batches_raise() -> None:
    build = CaptionBuilder()
    with pytest.raises(ValueError, match="2 items for 3 days"):
        build.batch(DAYS[:3], keys=CAPTION_KEYS[:2])
    with pytest.raises(ValueError, match="3 names"):
        build.batch(DAYS[:3], sample_ids=["a"])
    with pytest.raises(ValueError, match=r"days\[0\] has schema 'sensorlm-26'"):
        CaptionBuilder("sensorlm-34")(DAYS[0])
    with pytest.raises(TypeError, match="list of keys"):
        build.columns(DAYS[:1], "low_level_caption")
    with pytest.raises(TypeError, match=r"days\[1\]"):
        build.batch([DAYS[0], "day"])  # type: ignore[list-item]
    assert build.batch([]) == []


def test_copies_give_same_captions() -> None:
    build = CaptionBuilder(key="middle_level_caption", seed=9, language="de", extra_channels={"Heart": 0})
    for other in (copy.deepcopy(build), pickle.loads(pickle.dumps(build))):
        assert other(DAYS[1]) == build(DAYS[1])
        assert (other.seed, other.language, other.extra_channels) == (9, "de", {"Heart": 0})
