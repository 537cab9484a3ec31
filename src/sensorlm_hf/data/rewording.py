"""Alternative wordings for activities: names used by trackers and diaries, and descriptions by attributes.

A model that has only seen "running" and "office work" does not know "a jog", "sitting" or "vigorous exercise". Training
on captions in which some names are replaced teaches it synonyms and attributes, and attributes can describe activities
that were never seen in training.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..activities import ACTIVITIES, ACTIVITY_BY_NAME, Activity, canonical_activity
from ..days import Event, SensorDay

SEDENTARY_MET, LIGHT_MET, MODERATE_MET = 1.5, 3.0, 6.0
"""Upper limits of sedentary, light and moderate activity, METs (Compendium of Physical Activities; the sedentary limit
is inclusive, the others are exclusive)."""

_RUNNING_CADENCE, _NARROW_CADENCE = 140, 40
"""Steps per minute: the threshold of running (vigorous walking is about 130, Tudor-Locke et al. 2018), and the limits
of a steady rather than a changing pace; matches and classes have slow and fast minutes."""
_HILLY = 0.05
"""Within-minute altitude variation, in the unit of the table, above which an exercise counts as going up and down."""
_HOURS = 90
"""Typical minimum bout in minutes above which an exercise is described as lasting for hours."""

_SEDENTARY = ("sitting", "sedentary time", "sedentary behaviour")
_LIGHT = ("light activity", "light movement", "light physical activity")
_MODERATE = ("moderate activity", "medium activity", "moderate exercise")
_VIGOROUS = ("vigorous activity", "vigorous exercise", "heavy activity", "intense exercise")
_SLEEP = ("sleeping", "a night's sleep", "time asleep")
_NAP = ("a short sleep", "a daytime nap")
_KINDS = {"cardio": "cardio", "strength": "strength training", "mind-body": "mind-body exercise", "sport": "sport"}


def intensity_words(activity: Activity) -> tuple[str, ...]:
    """Returns words for the intensity of an activity, from its METs."""
    if activity.met <= SEDENTARY_MET:
        return _SEDENTARY
    if activity.met < LIGHT_MET or not activity.benchmark:  # everyday work always counts as light
        return _LIGHT
    return _MODERATE if activity.met < MODERATE_MET else _VIGOROUS


def attribute_words(activity: Activity) -> tuple[str, ...]:
    """Returns attributes of an exercise: place, category, locomotion; empty for everyday activities."""
    if not activity.benchmark:
        return ()
    kind = _KINDS[activity.category]
    moves = "exercise on the move" if activity.locomotion else "exercise on the spot"
    return f"{activity.environment} {kind}", f"{activity.environment} exercise", moves


def description_words(activity: Activity) -> tuple[str, ...]:
    """Returns longer descriptions of an exercise, most complete first; empty for everyday activities.

    From the table of activities, they describe: steadiness of effort; intensity, place and category; whether it is done
    on foot, and at which pace; whether it goes up and down; and whether it lasts for hours. No single attribute
    identifies an exercise, but a combination of a few usually does.
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
    """Returns groups of alternative wordings for an event; empty groups are omitted.

    The groups are synonyms, intensity, attributes and longer descriptions.

    Args:
        kind: Kind of the event.
        label: Its label; labels unknown to [`canonical_activity`] have no alternatives.
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
    """Returns all wordings that [`reword_events`] may use, without duplicates, in a fixed order."""
    events = [("sleep", "sleep"), ("sleep", "nap"), *(("activity", activity.name) for activity in ACTIVITIES)]
    return tuple(dict.fromkeys(word for event in events for group in other_words(*event) for word in group))


def reword_events(day: SensorDay, share: float, rng: np.random.Generator) -> SensorDay:
    """Replaces the labels of some events with alternative wordings.

    Args:
        day: The day.
        share: Probability of replacing a label; all events with the same label are replaced alike.
        rng: Random generator.

    Returns:
        The day with reworded event labels; its signals and `labels` are unchanged.
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
