"""Simulated physiology: expected relationships between signals over many days."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from sensorlm_hf.activities import ACTIVITIES
from sensorlm_hf.data.simulate.channels import SENSOR_OF, simulate_channels
from sensorlm_hf.data.simulate.layout import LEAD, SPAN, Minutes, Window, expand_windows, plan_window
from sensorlm_hf.data.simulate.people import Person, simulate_person
from sensorlm_hf.data.simulate.physiology import Body, _follow, autoregressive, simulate_bodies
from sensorlm_hf.data.simulate.plan import CODE, DEEP, LIGHT, REM, WAKE, simulate_night


@dataclass
class Simulation:
    windows: list[Window]
    minutes: Minutes
    body: Body
    channels: dict[str, np.ndarray]


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    windows = [plan_window(7, simulate_person(7, number), 0) for number in range(300)]
    minutes = expand_windows(7, windows)
    body = simulate_bodies(windows, minutes)
    return Simulation(windows, minutes, body, simulate_channels(tuple(SENSOR_OF), windows, minutes, body))


def _mean(simulation: Simulation, key: str, name: str) -> float:
    return float(np.nanmean(simulation.channels[key][simulation.minutes.code == CODE[name]]))


def test_autoregressive_noise_has_unit_variance_and_requested_memory():
    white = np.random.default_rng(0).standard_normal((400, 600), dtype=np.float32)
    for memory in (0.0, 0.6, 0.97):
        noise = autoregressive(white, memory)
        assert noise.var() == pytest.approx(1.0, abs=0.08)
        assert noise[:, 0].var() == pytest.approx(1.0, abs=0.2)
        lagged = np.corrcoef(noise[:, :-1].ravel(), noise[:, 1:].ravel())[0, 1]
        assert lagged == pytest.approx(memory, abs=0.03)


def test_step_response_is_exponential():
    target = np.zeros((1, 1, 40), np.float32)
    target[0, 0, 5:20] = 1.0
    out = _follow(target, (2.0,), (4.0,))[0, 0]
    up = 1 - np.exp(-np.arange(1, 16) / 2.0)
    np.testing.assert_allclose(out[5:20], up, rtol=1e-5)
    np.testing.assert_allclose(out[20:], up[-1] * np.exp(-np.arange(1, 21) / 4.0), rtol=1e-4)


def test_heart_rate_rises_with_load_and_drops_in_sleep(simulation):
    order = ["sleeping", "watching television", "housework", "walking", "running"]
    rates = [_mean(simulation, "HR", name) for name in order]
    assert rates == sorted(rates)
    assert rates[1] - rates[0] > 8
    assert rates[-1] > 130


def test_heart_rate_lags_load_and_recovers_more_slowly(simulation):
    rises, falls = [], []
    for index, window in enumerate(simulation.windows):
        for bout in window.exercises:
            if ACTIVITIES[bout.code].name not in ("running", "treadmill running", "outdoor cycling"):
                continue
            first, last = bout.start + LEAD, bout.end + LEAD
            if first < 10 or last + 12 >= SPAN:
                continue
            heart = simulation.body.heart_rate[index]
            before, plateau = heart[first - 5 : first].mean(), heart[last - 10 : last].mean()
            after = heart[last + 30 : last + 45].mean() if last + 45 < SPAN else before
            rises.append((heart[first] - before) / (plateau - before))
            falls.append((plateau - heart[last]) / (plateau - after))
    assert len(rises) > 20
    assert 0.3 < np.median(rises) < 0.8
    assert np.median(falls) < np.median(rises)


def test_fitness_anxiety_and_hypertension_affect_physiology():
    people = [simulate_person(1, number) for number in range(3000)]

    def split(chosen, value) -> tuple[list[float], list[float]]:
        return [value(p) for p in people if chosen(p)], [value(p) for p in people if not chosen(p)]

    fit, unfit = split(lambda p: p.fitness > 0, lambda p: p.heart_rate_rest)
    assert 3 < np.mean(unfit) - np.mean(fit) < 12
    for chosen, value, sign in (
        (lambda p: p.anxiety, lambda p: p.log_eda, 1),
        (lambda p: p.anxiety, lambda p: p.log_hrv, -1),
        (lambda p: p.hypertension, lambda p: p.log_hrv, -1),
        (lambda p: p.hypertension, lambda p: p.heart_rate_rest, 1),
    ):
        with_it, without = split(chosen, value)
        effect = (np.mean(with_it) - np.mean(without)) / np.std(without)
        assert 0.1 < sign * effect < 1.3  # present, but with substantial overlap
    assert 0.14 < np.mean([p.anxiety for p in people]) < 0.25
    assert 0.15 < np.mean([p.hypertension for p in people]) < 0.4
    young = [p.hypertension for p in people if p.age < 35]
    old = [p.hypertension for p in people if p.age > 60]
    assert np.mean(young) < 0.2 < 0.4 < np.mean(old)


def test_maximum_heart_rate_follows_tanaka():
    people = [simulate_person(2, number) for number in range(2000)]
    slope, level = np.polyfit([p.age for p in people], [p.heart_rate_max for p in people], 1)
    assert slope == pytest.approx(-0.7, abs=0.05)
    assert level == pytest.approx(208, abs=2.5)


def test_variability_decreases_with_heart_rate(simulation):
    heart, rmssd = simulation.body.heart_rate, simulation.channels["rmssd_percentile_0595"]
    seen = ~np.isnan(rmssd)
    assert np.corrcoef(heart[seen], np.log(rmssd[seen]))[0, 1] < -0.4
    low, mid, high = (
        simulation.channels[f"hrv_rr_{name}"] for name in ("20th_percentile_mean", "median", "80th_percentile_mean")
    )
    assert (low[seen] < mid[seen]).all()
    assert (mid[seen] < high[seen]).all()


def test_steps_occur_in_walking_and_running(simulation):
    counter = np.array([w.person.device.counts_movement for w in simulation.windows])
    steps = simulation.channels["steps"][~counter]
    code = simulation.minutes.code[~counter]
    for name in ("running", "treadmill running", "walking"):
        low, high = ACTIVITIES[CODE[name]].cadence
        assert low - 5 < np.median(steps[code == CODE[name]]) < high + 5
    for name in ("indoor cycling", "yoga", "watching television", "sleeping"):
        assert np.median(steps[code == CODE[name]]) == 0
    assert (steps == np.round(steps)).all()
    # A movement counter also counts small movements as steps.
    moved = simulation.channels["steps"][counter][simulation.minutes.code[counter] == CODE["office work"]]
    assert np.mean(moved > 0) > 0.6


def test_skin_temperature_and_conductance_follow_activity(simulation):
    warmth = {n: _mean(simulation, "wrist_temperatures", n) for n in ("sleeping", "office work", "swimming")}
    assert warmth["sleeping"] > warmth["office work"] + 1 > warmth["swimming"] + 2
    assert _mean(simulation, "eda_level_real", "running") > 1.8 * _mean(simulation, "eda_level_real", "office work")


def test_altitude_varies_when_climbing(simulation):
    flat = _mean(simulation, "altim_std", "yoga")
    for name in ("hiking", "skiing", "stair climbing"):
        assert _mean(simulation, "altim_std", name) > flat + 0.1


def test_movement_features_distinguish_activities(simulation):
    assert _mean(simulation, "log_energy", "running") > _mean(simulation, "log_energy", "walking") + 20
    assert _mean(simulation, "sleep_coefficient", "sleeping") > _mean(simulation, "sleep_coefficient", "housework") + 5
    assert _mean(simulation, "zero_crossing_avg", "outdoor cycling") > _mean(
        simulation, "zero_crossing_avg", "indoor cycling"
    )


def test_sleep_cycles_start_with_deep_sleep_and_end_with_rem():
    first, last, share = [], [], []
    for number in range(200):
        stages = simulate_night(3, simulate_person(3, number), 0).stages
        third = len(stages) // 3
        first.append([(stages[:third] == s).mean() for s in (DEEP, REM)])
        last.append([(stages[-third:] == s).mean() for s in (DEEP, REM)])
        share.append([(stages == s).mean() for s in (WAKE, LIGHT, DEEP, REM)])
    (deep_first, rem_first), (deep_last, rem_last) = np.mean(first, 0), np.mean(last, 0)
    assert deep_first > 2 * deep_last
    assert rem_last > 2 * rem_first
    wake, light, deep, rem = np.mean(share, 0)
    assert 0.03 < wake < 0.2
    assert 0.4 < light < 0.65
    assert 0.1 < deep < 0.3
    assert 0.12 < rem < 0.3


def test_sleep_duration_and_timing_by_chronotype():
    nights = [(simulate_person(4, n), simulate_night(4, simulate_person(4, n), 1)) for n in range(400)]
    hours = np.array([(night.wake - night.bed) / 60 for _, night in nights])
    assert 6.6 < hours.mean() < 8.2
    assert hours.min() >= 4.5
    late = np.corrcoef([p.chronotype for p, _ in nights], [night.bed for _, night in nights])[0, 1]
    assert late > 0.4


def test_summer_follows_hemisphere():
    people = [simulate_person(0, number) for number in range(400)]
    south = next(p for p in people if p.latitude < -30)
    north = next(p for p in people if p.latitude > 45)

    def july(person: Person) -> float:
        days = [d for d in range(365) if person.date_of(d).month == 7]
        return float(np.mean([person.summer(d) for d in days]))

    assert july(north) > 0.8
    assert july(south) < -0.7
