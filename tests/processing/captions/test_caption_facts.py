"""Facts against the reference's, and against the loop-and-scipy oracle on anything hypothesis comes up with."""

from __future__ import annotations

import json
from pathlib import Path

import caption_oracle as oracle
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sensorlm_hf.processing.captions import CaptionBuilder
from sensorlm_hf.processing.captions.structure import find_anomalies, find_trends
from sensorlm_hf.schema import SensorSchema, get_schema

STATISTICS = ("mean", "max", "min", "std")
DRIVE = settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def one_channel(name: str = "x") -> SensorSchema:
    return SensorSchema.from_dict({"name": name, "channels": [{"key": "x", "mean": 5, "std": 2}]})


ONE = CaptionBuilder(one_channel())
ONE_IMPUTED = CaptionBuilder(one_channel(), imputed=True)


def assert_same(found: dict, expected: dict, where: object = "") -> None:
    assert found["trends"] == expected["trends"], where
    assert found["anomalies"] == expected["anomalies"], where
    for name in STATISTICS:
        if expected[name] is None:
            assert found[name] is None, where
        else:
            size = max(abs(expected["max"]), abs(expected["min"]))
            assert found[name] == pytest.approx(expected[name], rel=1e-6, abs=1e-9 * size + 1e-300), (where, name)


@pytest.fixture(scope="module")
def parity(parity_dir: Path) -> tuple[dict, dict[str, np.ndarray]]:
    reference = json.loads((parity_dir / "reference_facts.json").read_text())
    schema = get_schema("sensorlm-34")
    assert list(schema.keys) == reference["channels"]
    days = {}
    with np.load(parity_dir / "days.npz") as stored:
        for name in reference["days"]:
            values = stored[name] * np.array(schema.stds) + np.array(schema.means)
            for i, channel in enumerate(schema):
                if channel.non_negative:
                    values[:, i] = np.maximum(values[:, i], 0)
            days[name] = values
    return reference["days"], days


@pytest.mark.parametrize("imputed", [False, True])
def test_facts_equal_the_reference(parity: tuple[dict, dict[str, np.ndarray]], imputed: bool) -> None:
    reference, days = parity
    build = CaptionBuilder("sensorlm-34", imputed=imputed)
    compared = 0
    for name, found in zip(reference, build.facts_batch([days[name] for name in reference]), strict=True):
        for key, expected in reference[name].items():
            assert found[key]["trends"] == expected["trends"], (name, key)
            assert found[key]["anomalies"] == expected["anomalies"], (name, key)
            for statistic in STATISTICS:
                assert found[key][statistic] == pytest.approx(expected[statistic], rel=1e-6), (name, key, statistic)
            compared += 1
    assert compared == 132


def test_oracle_equals_the_reference(parity: tuple[dict, dict[str, np.ndarray]]) -> None:
    reference, days = parity
    schema = get_schema("sensorlm-34")
    for name in list(reference)[:4]:
        for key, expected in reference[name].items():
            assert_same(oracle.channel_facts(days[name][:, schema.index(key)]), expected, (name, key))


def test_one_day_at_a_time_or_all_at_once(parity: tuple[dict, dict[str, np.ndarray]]) -> None:
    _, days = parity
    build = CaptionBuilder("sensorlm-34")
    stacked = np.stack(list(days.values())[:5])
    before = stacked.copy()
    assert build.facts_batch(stacked) == [build.facts(day) for day in stacked]
    assert np.array_equal(stacked, before)


# Levels on a grid make ties and plateaus; a pooled point is 40 equal minutes, so its mean is exact.
levels = st.one_of(
    hnp.arrays(np.float64, 36, elements=st.integers(-4, 4).map(float)),
    hnp.arrays(np.float64, 36, elements=st.sampled_from([0.0, 1.0, 80.0])),
    hnp.arrays(np.float64, 36, elements=st.floats(-1e6, 1e6, width=32)),
    st.floats(-1e6, 1e6, width=32).map(lambda x: np.full(36, x)),
    st.lists(st.integers(0, 12), min_size=36, max_size=36).map(lambda xs: np.cumsum(np.array(xs) - 6.0)),
    st.lists(st.integers(1, 9), min_size=1, max_size=6).map(
        lambda xs: np.repeat(np.arange(36.0), np.resize(xs, 36))[:36] % 5
    ),
)
gaps = st.lists(st.tuples(st.integers(0, 1439), st.integers(1, 500)), max_size=4)


@DRIVE
@given(levels, gaps, st.booleans())
def test_any_channel_equals_the_oracle(points: np.ndarray, holes: list[tuple[int, int]], imputed: bool) -> None:
    day = np.repeat(points, 40)
    day = day[:1440] if len(day) >= 1440 else np.pad(day, (0, 1440 - len(day)), mode="edge")
    for start, length in holes:
        day[start : start + length] = np.nan
    build = ONE_IMPUTED if imputed else ONE
    found = build.facts(day[:, None])["x"]
    expected = oracle.channel_facts(oracle.fill(day, default=5.0) if imputed else day)
    assert_same(found, expected)
    assert found["observed"] == pytest.approx(np.mean(~np.isnan(day)))
    rebuilt = np.zeros(1440, dtype=bool)
    for start, end in found["missing"]:
        assert start < end
        rebuilt[start:end] = True
    assert np.array_equal(rebuilt, np.isnan(day))


@DRIVE
@given(
    st.integers(1, 1500),
    st.integers(0, 2**32 - 1),
    st.sampled_from(["walk", "spikes", "rounded walk", "noise", "plateaus"]),
    st.booleans(),
)
def test_minutes_of_every_kind_equal_the_oracle(minutes: int, seed: int, kind: str, single: bool) -> None:
    rng = np.random.default_rng(seed)
    day = {
        "walk": lambda: np.cumsum(rng.normal(size=minutes)),
        "spikes": lambda: np.where(rng.random(minutes) < 0.01, rng.normal(0, 5000, minutes), 60.0),
        "rounded walk": lambda: np.round(np.cumsum(rng.normal(size=minutes)) / 8),
        "noise": lambda: rng.normal(30, 1, minutes),
        "plateaus": lambda: np.repeat(rng.integers(0, 3, minutes // 30 + 1), 30)[:minutes].astype(float),
    }[kind]()
    day[rng.random(minutes) < rng.choice([0, 0, 0.3, 1])] = np.nan
    if single:
        day = day.astype(np.float32)
    expected = oracle.channel_facts(day.astype(np.float64))
    assert_same(ONE.facts(day[:, None])["x"], expected)


def test_many_tied_channels_at_once_equal_the_oracle() -> None:
    rng = np.random.default_rng(3)
    points = rng.integers(0, 4, (600, 36)).astype(float)
    points[rng.random(points.shape) < 0.02] = np.nan
    trends, anomalies = find_trends(points), find_anomalies(points)
    for row in range(len(points)):
        at = trends.row == row
        kinds = ("decreasing", "stable", "increasing")
        found = [
            [start, end, kinds[kind]]
            for start, end, kind in zip(
                trends.start[at].tolist(), trends.end[at].tolist(), trends.kind[at].tolist(), strict=True
            )
        ]
        assert found == oracle.trends(points[row])
        at = anomalies.row == row
        pairs = zip(anomalies.minute[at].tolist(), anomalies.kind[at].tolist(), strict=True)
        assert [[minute, ("peak", "drop")[kind]] for minute, kind in pairs] == oracle.anomalies(points[row])


def test_a_ramp_by_hand() -> None:
    day = np.repeat(np.concatenate([np.zeros(12), np.arange(12.0), np.full(12, 11.0)]), 40)
    facts = ONE.facts(day[:, None])["x"]
    # Three windows of 12 points fit: the ramp gains 11, the whole range; the flat ends are stable.
    assert facts["trends"] == [[40, 480, "stable"], [520, 960, "increasing"], [1000, 1440, "stable"]]
    assert facts["anomalies"] == []
    assert facts["max"] == 11
    assert facts["min"] == 0
    assert facts["mean"] == pytest.approx((66 + 132) / 36)
    assert facts["missing"] == []
    assert facts["observed"] == 1


def test_a_spike_and_a_drop_by_hand() -> None:
    points = np.full(36, 50.0)
    points[10] = 90
    assert ONE.facts(np.repeat(points, 40)[:, None])["x"]["anomalies"] == [[440, "peak"]]
    points[25] = 10  # now the peak rises only half the range above its surroundings, short of 0.6 above the mean
    assert ONE.facts(np.repeat(points, 40)[:, None])["x"]["anomalies"] == [[1040, "drop"]]


def test_a_gap_is_no_trend_and_no_drop() -> None:
    day = np.full(1440, 60.0)
    day[:200] = 100.0
    day[600:760] = np.nan
    facts = ONE.facts(day[:, None])["x"]
    assert facts["missing"] == [[600, 760]]
    for start, end, _ in facts["trends"]:
        assert end <= 600 or start - 40 >= 760
    assert ONE.facts(np.full((1440, 1), np.nan))["x"] == {
        **dict.fromkeys(STATISTICS),
        "trends": [],
        "anomalies": [],
        "missing": [[0, 1440]],
        "observed": 0.0,
    }
    assert ONE_IMPUTED.facts(np.full((1440, 1), np.nan))["x"]["mean"] == 5


def test_every_gap_longer_than_a_point_parts_trends() -> None:
    ramp = np.arange(1440.0)
    for length in (41, 45, 60, 79):
        for start in range(400, 480, 3):
            day = ramp.copy()
            day[start : start + length] = np.nan
            for first, last, _ in ONE.facts(day[:, None])["x"]["trends"]:
                # A trend's first and last points reach at most half a point into the gap.
                assert last - 20 <= start or first - 20 >= start + length, (start, length, first, last)
    day = ramp.copy()
    day[610:630] = np.nan  # a short one does not
    assert any(first < 610 < last for first, last, _ in ONE.facts(day[:, None])["x"]["trends"])
    sparse = np.full(1440, np.nan)
    sparse[::5] = ramp[::5]
    assert [trend[2] for trend in ONE.facts(sparse[:, None])["x"]["trends"]] == ["increasing"] * 3


def test_a_constant_channel_with_rounding_and_gaps_has_no_structure() -> None:
    rng = np.random.default_rng(0)
    day = np.full(1440, 0.1)
    day[rng.random(1440) < 0.4] = np.nan
    facts = ONE.facts(day[:, None])["x"]
    assert facts["trends"] == facts["anomalies"] == []
    assert facts["std"] == 0


def test_a_channel_may_be_missing_beside_others() -> None:
    values = np.random.default_rng(1).normal(80, 9, (1440, 26)).astype(np.float32)
    values[:, 4] = np.nan
    values[100:300, 7] = np.nan
    facts = CaptionBuilder("sensorlm-26").facts(values)
    for i, key in enumerate(get_schema("sensorlm-26").keys):
        assert_same(facts[key], oracle.channel_facts(values[:, i].astype(np.float64)), key)


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        (np.zeros((1440, 3)), ValueError, r"shape \(minutes, 1\)"),
        (np.zeros(1440), ValueError, "shape"),
        (np.zeros((0, 1)), ValueError, "shape"),
        (np.full((1440, 1), np.inf), ValueError, "infinite at minute 0, channel 'x'"),
        ([["a"]], TypeError, "array of numbers"),
    ],
)
def test_bad_values_are_refused(values: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ONE.facts(values)  # type: ignore[arg-type]
