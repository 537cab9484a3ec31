"""Other words for activities: what trackers and diaries call them, and what kind of activity they are.

A model that has only ever read "running" and "office work" knows nothing of "a jog", "sitting" or "vigorous exercise".
Training on captions in which some names are replaced by such words teaches it both synonyms and attributes, and the
attributes are what an activity that it never saw can be described by.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..activities import ACTIVITIES, ACTIVITY_BY_NAME, Activity, canonical_activity
from ..days import Event, SensorDay

SEDENTARY_MET, LIGHT_MET, MODERATE_MET = 1.5, 3.0, 6.0
"""Upper limits of sedentary, light and moderate activity, METs (Compendium of Physical Activities; sedentary up to and
including its limit, the others below it)."""

_RUNNING_CADENCE, _NARROW_CADENCE = 140, 40
"""Steps per minute: from where on one runs (Tudor-Locke et al. 2018 put vigorous walking at 130), and between which
limits a pace is even rather than changing; a match or a class has slow and quick minutes."""
_HILLY = 0.05
"""Spread of altitude within a minute, in the unit of the table, from which an exercise goes up and down."""
_HOURS = 90
"""Usual shortest bout, minutes, from which an exercise is said to last for hours."""

_SEDENTARY = ("sitting", "sedentary time", "sedentary behaviour")
_LIGHT = ("light activity", "light movement", "light physical activity")
_MODERATE = ("moderate activity", "medium activity", "moderate exercise")
_VIGOROUS = ("vigorous activity", "vigorous exercise", "heavy activity", "intense exercise")
_SLEEP = ("sleeping", "a night's sleep", "time asleep")
_NAP = ("a short sleep", "a daytime nap")
_KINDS = {"cardio": "cardio", "strength": "strength training", "mind-body": "mind-body exercise", "sport": "sport"}


def intensity_words(activity: Activity) -> tuple[str, ...]:
    """Returns words for how hard an activity is, from its METs."""
    if activity.met <= SEDENTARY_MET:
        return _SEDENTARY
    if activity.met < LIGHT_MET or not activity.benchmark:  # everyday work counts as light, whatever it costs
        return _LIGHT
    return _MODERATE if activity.met < MODERATE_MET else _VIGOROUS


def attribute_words(activity: Activity) -> tuple[str, ...]:
    """Returns words for what an exercise is: where, of which kind, whether it goes anywhere; none for everyday ones."""
    if not activity.benchmark:
        return ()
    kind = _KINDS[activity.category]
    moves = "exercise on the move" if activity.locomotion else "exercise on the spot"
    return f"{activity.environment} {kind}", f"{activity.environment} exercise", moves


def description_words(activity: Activity) -> tuple[str, ...]:
    """Returns longer descriptions of an exercise, the fullest first; none for everyday ones.

    They tell, from the table of activities: whether effort is steady; how hard, where and of which kind it is; whether
    it is done on foot, and at which pace; whether it goes up and down; and whether it lasts for hours. No single
    attribute tells one exercise from all others, while most are told apart by a few of them.
    """
    if not activity.benchmark:
        return ()
    kind = _KINDS[activity.category]
    place = f"{activity.environment} {kind}"
    hard = intensity_words(activity)[0].split()[0]
    steadiness = "stop-and-go" if activity.stop_and_go else "steady"
    feet = "off one's feet"
    if activity.step_share >= 0.5:
        slow, fast = activity.cadence
        pace = "running" if slow >= _RUNNING_CADENCE else "walking" if fast - slow <= _NARROW_CADENCE else "changing"
        feet = f"on foot at a {pace} pace"
    hills = "up and down" if activity.altitude >= _HILLY else ""
    hours = "for hours" if activity.duration[0] >= _HOURS else ""
    descriptions = (
        (steadiness, hard, place, feet, hills, hours),
        (hard, place, hours),
        (place, feet),
        (steadiness, "exercise", feet, hills),
        (hard, steadiness, "exercise", feet),
    )
    return tuple(dict.fromkeys(" ".join(filter(None, words)) for words in descriptions))


@lru_cache(maxsize=512)
def other_words(kind: str, label: str) -> tuple[tuple[str, ...], ...]:
    """Returns groups of words that may stand for an event; empty groups are left out.

    The groups are synonyms, how hard it is, what it is, and longer descriptions.

    Args:
        kind: Kind of the event.
        label: Its label; one that [`canonical_activity`] does not know has no other words.
    """
    if kind == "sleep":
        return (_NAP,) if label == "nap" else (_SLEEP,)
    name = canonical_activity(label) if kind == "activity" else None
    if name is None:
        return ()
    activity = ACTIVITY_BY_NAME[name]
    groups = (activity.aliases, intensity_words(activity), attribute_words(activity), description_words(activity))
    return tuple(group for group in groups if group)


def all_other_words() -> tuple[str, ...]:
    """Returns every word that [`reword_events`] may write, each once, in a fixed order."""
    events = [("sleep", "sleep"), ("sleep", "nap"), *(("activity", activity.name) for activity in ACTIVITIES)]
    return tuple(dict.fromkeys(word for event in events for group in other_words(*event) for word in group))


def reword_events(day: SensorDay, share: float, rng: np.random.Generator) -> SensorDay:
    """Replaces the labels of some events by other words for them.

    Args:
        day: The day.
        share: Probability with which a label is replaced; events of one label are replaced alike.
        rng: For the choices.

    Returns:
        The day with other labels in its events; its signals and `labels` stay.
    """
    words: dict[tuple[str, str], str] = {}
    events = []
    for event in day.events:
        key = (event.kind, event.label)
        if key not in words:
            groups = other_words(*key)
            words[key] = event.label
            if groups and rng.random() < share:
                group = groups[int(rng.integers(len(groups)))]
                words[key] = group[int(rng.integers(len(group)))]
        events.append(Event(event.kind, words[key], event.start_minute, event.end_minute))
    return day.with_events(events)
