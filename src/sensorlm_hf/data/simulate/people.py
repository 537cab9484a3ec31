"""Synthetic subjects: their attributes, devices and places of residence, without data of real people."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

import numpy as np

from ...activities import ACTIVITIES
from .behaviours import BEHAVIOURS

PERSON_STREAM, NIGHT_STREAM, PLAN_STREAM, NOISE_STREAM, GAP_STREAM, LOG_STREAM, DROPOUT_STREAM = range(7)
"""Parts of the simulation with separate random streams, seeded by (seed, part, person, day)."""


@dataclass(frozen=True)
class Device:
    """The sensors of a type of device.

    Attributes:
        name: Name in the day's labels.
        share: Fraction of people who wear it.
        sensors: Available sensors, a subset of `HR`, `HRV`, `REST`, `STEPS`, `ACC`, `EDA`, `TEMP`, `ALT`, `SLEEP`,
            `SPO2`, `RMSSD`.
        counts_movement: Whether its steps are those of a movement counter, which also counts small movements.
        strap: Whether beats come from a chest strap, which follows them through movement too.
    """

    name: str
    share: float
    sensors: frozenset[str]
    counts_movement: bool = False
    strap: bool = False


_ALL = frozenset({"HR", "HRV", "REST", "STEPS", "ACC", "EDA", "TEMP", "ALT", "SLEEP", "SPO2", "RMSSD"})

DEVICES = (
    Device("multi-sensor watch", 0.64, _ALL),
    Device("watch without skin conductance", 0.07, _ALL - {"EDA"}),
    Device("watch without altimeter", 0.04, _ALL - {"ALT"}),
    Device("watch without skin sensors", 0.04, _ALL - {"EDA", "TEMP"}),
    Device("watch without beat intervals", 0.03, _ALL - {"HRV", "REST", "RMSSD"}),
    Device("heart rate and step tracker", 0.09, frozenset({"HR", "STEPS", "SLEEP"})),
    Device("chest strap and movement counter", 0.06, frozenset({"HR", "HRV", "RMSSD", "STEPS"}), True, True),
    Device("skin conductance wristband", 0.03, frozenset({"HR", "STEPS", "EDA", "TEMP", "RMSSD"})),
)
"""Kinds of device and their shares. Most people wear one with every sensor of the schema."""

# IANA zone, latitude of the people there (degrees north), share.
_ZONES = (
    ("America/New_York", 40.7, 0.14), ("America/Chicago", 41.0, 0.10), ("America/Denver", 39.7, 0.04),
    ("America/Los_Angeles", 36.0, 0.10), ("America/Phoenix", 33.4, 0.02), ("America/Toronto", 43.7, 0.04),
    ("America/Sao_Paulo", -23.5, 0.03), ("America/Argentina/Buenos_Aires", -34.6, 0.02), ("Europe/London", 51.5, 0.09),
    ("Europe/Berlin", 51.0, 0.08), ("Europe/Rome", 42.0, 0.04), ("Europe/Madrid", 40.4, 0.03),
    ("Europe/Stockholm", 59.3, 0.03), ("Europe/Warsaw", 52.2, 0.02), ("Asia/Tokyo", 35.7, 0.05),
    ("Asia/Seoul", 37.6, 0.02), ("Asia/Kolkata", 19.0, 0.04), ("Asia/Kathmandu", 27.7, 0.01),
    ("Asia/Singapore", 1.3, 0.02), ("Africa/Johannesburg", -26.2, 0.02), ("Australia/Melbourne", -37.8, 0.03),
    ("Australia/Adelaide", -34.9, 0.01), ("Pacific/Auckland", -36.8, 0.02),
)  # fmt: skip

FIRST_DATE = date(2022, 1, 1)
_DATES = 1000


@dataclass(frozen=True)
class Person:
    """A synthetic subject.

    Attributes:
        number: Index in the cohort.
        age: Years.
        sex: `"female"` or `"male"`.
        fitness: Standard score of aerobic fitness among people of the same age and sex.
        capacity: Highest sustainable energy cost, METs.
        heart_rate_rest: Lowest heart rate held in sleep, bpm.
        heart_rate_max: Highest heart rate, bpm; mean 208 - 0.7 age (Tanaka et al., J Am Coll Cardiol 37, 2001).
        chronotype: Standard score; positive is an evening type.
        anxiety: Whether the person lives with an anxiety disorder.
        hypertension: Whether the person lives with hypertension.
        log_hrv: Mean of the logarithm of SDNN at rest, ln ms.
        log_eda: Mean of the logarithm of skin conductance, ln uS.
        skin: Skin temperature relative to other people's, degC.
        occupation: `"office"`, `"manual"` or `"home"`.
        commute: Name of the activity by which the person goes to work.
        exercise_weights: Preference for each of the exercise classes; sums to 1.
        exercise_rate: Relative number of exercises a day.
        diarist: Whether the person logs everyday activities too.
        mood_rate: Mean number of moods logged a day.
        wears_at_night: Whether the device is worn in bed.
        device: What the device measures.
        zone: IANA name of the home's time zone.
        latitude: Degrees north.
        first_date: Local date of day 0.
        start_minute: Minute of the local day at which the person's windows start.
        habit: Six standard scores: how this person's movement differs from others' in [`Movement`]'s numbers.
        work_start: Minute of the day at which work starts.
        active: Relative amount of everyday walking.
        sleep_need: Minutes of sleep that the person needs.
        flutter: Relative size of the heart rate's changes from minute to minute, of the body and of the device's fit.
        dropouts: Mean number of short dropouts of the heart rate per day.
    """

    number: int
    age: int
    sex: str
    fitness: float
    capacity: float
    heart_rate_rest: float
    heart_rate_max: float
    chronotype: float
    anxiety: bool
    hypertension: bool
    log_hrv: float
    log_eda: float
    skin: float
    occupation: str
    commute: str
    exercise_weights: tuple[float, ...]
    exercise_rate: float
    diarist: bool
    mood_rate: float
    wears_at_night: bool
    device: Device
    zone: str
    latitude: float
    first_date: date
    start_minute: int
    habit: tuple[float, ...]
    work_start: float
    active: float
    sleep_need: float
    flutter: float
    dropouts: float

    def date_of(self, day: int) -> date:
        """Local date of a day."""
        return self.first_date + timedelta(days=day)

    def is_weekend(self, day: int) -> bool:
        """Whether a day is a Saturday or a Sunday."""
        return self.date_of(day).weekday() >= 5

    def summer(self, day: int) -> float:
        """Season at the person's home: 1 in midsummer, -1 in midwinter, near 0 at the equator."""
        turn = math.cos(2 * math.pi * (self.date_of(day).timetuple().tm_yday - 200) / 365.25)
        return turn * math.tanh(self.latitude / 20)


def stream(seed: int, part: int, person: int, day: int = 0) -> np.random.Generator:
    """Returns the random generator for one part of one day, independent of everything else that is simulated."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, part, person, day])))


def pick(shares: tuple[float, ...], u: float) -> int:
    """Returns the index that a uniform number selects, with probabilities given by shares."""
    total, threshold = 0.0, u * sum(shares)
    for index, share in enumerate(shares):
        total += share
        if threshold < total:
            return index
    return len(shares) - 1


_DEVICE_SHARES = tuple(device.share for device in DEVICES)
_ZONE_SHARES = tuple(zone[2] for zone in _ZONES)
_POPULARITY = np.array([b.popularity for a, b in zip(ACTIVITIES, BEHAVIOURS, strict=True) if a.benchmark])


@lru_cache(maxsize=1024)
def simulate_person(seed: int, number: int) -> Person:
    """Simulates a person, given by a seed and the index in the cohort.

    Prevalences are close to those of adults: anxiety disorders 19 % a year (US National Comorbidity Survey Replication,
    more women than men), hypertension rising from one in twelve at 25 to two in three at 70. Their effects on the
    signals are far smaller than the differences between people: anxiety raises skin conductance and heart rate a
    little and lowers heart-rate variability (Chalmers et al., Front Psychiatry 5, 2014); hypertension lowers
    variability and raises heart rate a little (Singh et al., Hypertension 32, 1998).
    """
    rng = stream(seed, PERSON_STREAM, number)
    u = iter(rng.random(24).tolist())
    z = iter(rng.standard_normal(24).tolist())
    age = round(18 + 62 * next(u) ** 1.35)
    sex = "female" if next(u) < 0.52 else "male"
    woman = sex == "female"
    fitness = max(-2.6, min(2.6, next(z)))
    anxiety = next(u) < (0.24 if woman else 0.15)
    hypertension = next(u) < 1 / (1 + math.exp(-(-4.6 + 0.075 * age - 0.45 * fitness)))
    capacity = max(5.5, 13.0 - 0.085 * (age - 25) - 1.7 * woman + 1.75 * fitness)
    rest = 59.6 - 4.2 * fitness + 2.0 * woman + 2.2 * anxiety + 2.0 * hypertension + 4.6 * next(z)
    log_hrv = 3.98 - 0.0095 * (age - 45) + 0.13 * fitness - 0.17 * anxiety - 0.16 * hypertension + 0.30 * next(z)
    occupation = ("office", "manual", "home")[pick((0.62, 0.18, 0.20), next(u))]
    if age >= 67:
        occupation = "home"
    commute = (
        "commuting by car",
        "commuting by public transport",
        "walking to work",
        "cycling to work",
        "none",
    )[pick((0.46, 0.20, 0.08, 0.05, 0.21), next(u))]
    taste = rng.standard_normal(len(_POPULARITY))
    weights = _POPULARITY * np.exp(0.8 * taste)
    zone, latitude, _ = _ZONES[pick(_ZONE_SHARES, next(u))]
    device = DEVICES[pick(_DEVICE_SHARES, next(u))]
    return Person(
        number=number,
        age=age,
        sex=sex,
        fitness=fitness,
        capacity=capacity,
        heart_rate_rest=max(38.0, min(86.0, rest)),
        heart_rate_max=max(135.0, 208 - 0.7 * age + 7 * next(z)),
        chronotype=next(z) - 0.012 * (age - 45),
        anxiety=anxiety,
        hypertension=hypertension,
        log_hrv=log_hrv,
        log_eda=0.55 + 0.28 * anxiety - 0.008 * (age - 45) + 0.85 * next(z),
        skin=0.7 * next(z),
        occupation=occupation,
        commute=commute,
        exercise_weights=tuple((weights / weights.sum()).tolist()),
        exercise_rate=math.exp(0.12 * fitness + 0.2 * next(z)),
        diarist=next(u) < 0.25,
        mood_rate=0.0 if next(u) < 0.3 else 0.6 + 3.4 * next(u),
        wears_at_night=next(u) >= 0.1,
        device=device,
        zone=zone,
        latitude=latitude,
        first_date=FIRST_DATE + timedelta(days=int(_DATES * next(u))),
        start_minute=int(1440 * next(u)) if next(u) < 0.15 else 0,
        habit=tuple(next(z) for _ in range(6)),
        work_start=500 + 45 * next(z),
        active=math.exp(0.3 * next(z)),
        sleep_need=455 - 0.4 * (age - 45) + 40 * next(z),
        flutter=math.exp(0.28 * next(z)),
        dropouts=6.0 * math.exp(0.6 * next(z)),
    )
