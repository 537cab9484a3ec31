"""English captions.

Labels may be singular ("heart rate") or plural ("steps"), and users bring their own: so a label is only ever the
subject of a verb in the past tense that has one form for both, and takes no article.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..opening import opening_sentence
from ..templates import Wording

_COUNTABLE = frozenset(
    ("nap", "walk", "run", "hike", "swim", "workout", "jog", "ride", "meal", "commute", "drive", "stroll", "climb")
)
"""Names of events, by their last word, that take an article."""

_MACHINES = {"elliptical": "elliptical training", "rowing machine": "rowing machine training"}
"""Machines that stand for what is done on them."""


def _noun(label: str) -> str:
    label = label.strip()
    words = label.lower().split()
    if label.lower() in _MACHINES:
        return _MACHINES[label.lower()]
    if words[-1] not in _COUNTABLE or words[0] in ("a", "an", "the"):
        return label
    return f"{'an' if words[0][0] in 'aeiou' else 'a'} {label}"


def _join(items: Sequence[str]) -> str:
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def _label(label: str) -> dict[str, str]:
    return {"label": label}


def _mood(label: str) -> str:
    return label.strip().lower()


WORDING = Wording(
    name="English",
    statistics=(
        "{Label} averaged {mean}, with a maximum of {max}, a minimum of {min} and a standard deviation of {std}.",
        "{Label} had a mean of {mean}, a maximum of {max}, a minimum of {min} and a standard deviation of {std}.",
        "{Label} ranged from {min} to {max}, with a mean of {mean} and a standard deviation of {std}.",
        "{Label} came to a mean of {mean}, a maximum of {max}, a minimum of {min} and a standard deviation of {std}.",
        "For {label}, the mean was {mean}, the maximum {max}, the minimum {min} and the standard deviation {std}.",
        "Overall, {label} averaged {mean} (minimum {min}, maximum {max}, standard deviation {std}).",
        "With a standard deviation of {std}, {label} averaged {mean} and ran from {min} up to {max}.",
        "All along, {label} stayed between {min} and {max}, averaging {mean} with a standard deviation of {std}.",
        "{Label} went as high as {max} and as low as {min}; the mean was {mean} and the standard deviation {std}.",
        "{Label} topped out at {max}, bottomed out at {min} and averaged {mean}, with a standard deviation of {std}.",
        "The figures for {label} were {mean} on average, {max} at most and {min} at least, with a standard deviation of"
        " {std}.",
        "Readings of {label} averaged {mean} with a standard deviation of {std}, from {min} to {max}.",
        "The lowest value of {label} was {min}, the highest {max}, the mean {mean} and the standard deviation {std}.",
        "From a low of {min} to a high of {max}, {label} averaged {mean}, with a standard deviation of {std}.",
        "In numbers, {label} averaged {mean}, reached {max} at most and {min} at least, with a standard deviation of"
        " {std}.",
        "{Label} centred on {mean}, with values from {min} to {max} and a standard deviation of {std}.",
        "Values of {label} spanned {min} to {max}; their mean was {mean} and their standard deviation {std}.",
        "The highest value of {label} was {max} and the lowest {min}; the mean came to {mean}, the standard deviation"
        " to {std}.",
        "The recording gives {label} a mean of {mean}, a range of {min} to {max} and a standard deviation of {std}.",
        "On average {label} came to {mean}; the extremes were {min} and {max}, the standard deviation {std}.",
        "The mean of {label} was {mean}, the standard deviation {std}, the maximum {max} and the minimum {min}.",
        "Looking at {label}, the values lay between {min} and {max}, with a mean of {mean} and a standard deviation of"
        " {std}.",
    ),
    trends=(
        "{Label} showed {a_trend} between {span}.",
        "Between {span}, {label} {moved}.",
        "From {start} to {end}, {label} followed {a_trend}.",
        "{Label} {moved} from {start} to {end}.",
        "{A_trend} in {label} ran from {start} to {end}.",
        "The stretch between {span} brought {a_trend} in {label}.",
        "There was {a_trend} in {label} between {span}.",
        "{Label} {kept} from {start} until {end}.",
        "Starting at {start}, {label} {kept} until {end}.",
        "{A_trend} marked {label} between {span}.",
        "Between {span}, {label} took {a_course}.",
        "{Label} settled into {a_trend} from {start} to {end}.",
        "The values of {label} {moved} from {start} to {end}.",
        "From {start} until {end}, the course of {label} was {direction}.",
        "Between {span}, the data show {a_trend} in {label}.",
        "The period from {start} to {end} saw {label} {move}.",
        "{A_trend} appeared in {label} from {start} to {end}.",
        "For {label}, the time between {span} brought {a_trend}.",
    ),
    anomalies=(
        "{Label} showed {an_anomaly} at {time}.",
        "At {time}, there was {an_anomaly} in {label}.",
        "{An_anomaly} in {label} occurred at {time}.",
        "{An_anomaly} in {label} stood out at {time}.",
        "At {time}, {label} went through {an_anomaly}.",
        "{Label} had {an_anomaly} around {time}.",
        "Around {time}, {an_anomaly} appeared in {label}.",
        "The recording shows {an_anomaly} in {label} at {time}.",
        "{An_anomaly} at {time} interrupted the course of {label}.",
        "{An_anomaly} at {time} stands out in {label}.",
        "Near {time}, {label} showed {an_anomaly}.",
        "Notably, {label} had {an_anomaly} at {time}.",
        "The values of {label} formed {an_anomaly} at {time}.",
        "{An_anomaly} at {time} was unusual for {label}.",
        "{An_anomaly} was visible in {label} near {time}.",
        "For {label}, {time} brought {an_anomaly}.",
        "In {label}, {an_anomaly} came at {time}.",
    ),
    activities=(
        "{Label} took place between {span}.",
        "From {start} to {end}, the log shows {label}.",
        "{Label} filled the time between {span}.",
        "The person logged {label} between {span}.",
        "Between {span}, the person was busy with {label}.",
        "{Label} started at {start} and ended at {end}.",
        "An activity was logged from {start} to {end}: {label}.",
        "The log lists {label} from {start} until {end}.",
        "{Label} lasted from {start} until {end}.",
        "Starting at {start}, {label} went on until {end}.",
        "The time from {start} to {end} went to {label}.",
        "Between {span}, the wearer recorded {label}.",
    ),
    sleeps=(
        "{Label} lasted from {start} to {end}.",
        "Between {span}, the log shows {label}.",
        "{Label} was logged between {span}.",
        "{Label} began at {start} and ended at {end}.",
        "The sleep log lists {label} from {start} to {end}.",
        "The tracker recorded {label} between {span}.",
        "From {start} until {end}, {label} was recorded.",
        "Rest came between {span}, logged as {label}.",
        "{Label} took up the time from {start} to {end}.",
        "{Label} ran from {start} until {end}.",
        "In the sleep log: {label} between {span}.",
        "Starting at {start}, {label} continued until {end}.",
    ),
    moods=(
        "At {time}, the mood was logged as {label}.",
        "The mood at {time} was {label}.",
        "A mood entry at {time} reads {label}.",
        "At {time}, the person reported feeling {label}.",
        "The person felt {label} at {time}.",
        "The mood log says {label} at {time}.",
        "Around {time}, the mood was {label}.",
        "The person's mood was noted as {label} at {time}.",
        "At {time}, the mood log reads: {label}.",
        "A feeling described as {label} was logged at {time}.",
        "Mood at {time}: {label}.",
        "The wearer described the mood at {time} as {label}.",
    ),
    summaries=(
        "The day included {items}.",
        "Logged over the day: {items}.",
        "The log lists {items}.",
        "The person logged {items}.",
        "{Items} made up the day's log.",
        "Among the day's entries: {items}.",
        "The log of the day names {items}.",
        "On this day, the log shows {items}.",
        "The entries of the day cover {items}.",
        "The wearer recorded {items}.",
    ),
    summaries_with_moods=(
        "The day included {items}, with the mood logged as {moods}.",
        "The log lists {items}, and the mood was {moods}.",
        "The person logged {items} and felt {moods}.",
        "{Items} made up the day's log; the mood was {moods}.",
        "Logged over the day: {items}, with a mood described as {moods}.",
        "The person felt {moods} on a day that included {items}.",
        "The wearer recorded {items}, feeling {moods}.",
        "On this day, the log shows {items} and a mood noted as {moods}.",
    ),
    summaries_of_moods=(
        "The mood was {moods}.",
        "The mood log reads {moods}.",
        "The person felt {moods}.",
        "The mood was logged as {moods}.",
    ),
    gaps=(
        "No data were recorded between {span}.",
        "There are no data between {span}.",
        "The recording has a gap from {start} to {end}.",
        "From {start} to {end}, nothing was recorded.",
        "Data are missing between {span}.",
        "The device recorded nothing from {start} to {end}.",
        "There are no data from {start} until {end}.",
    ),
    no_events=(
        "No extended activity, sleep or mood was logged.",
        "The log holds no extended activity, no sleep and no mood.",
        "There are no entries of extended activity, sleep or mood.",
    ),
    no_structure=(
        "No clear trends or anomalies stand out.",
        "The signals show neither clear trends nor anomalies.",
        "Nothing in the signals stands out as a trend or an anomaly.",
    ),
    no_data=(
        "No sensor data were recorded.",
        "The recording holds no sensor data.",
        "The sensors recorded nothing.",
    ),
    label=_label,
    noun=_noun,
    mood=_mood,
    trend_words={
        "increasing": (
            {
                "a_trend": "an increasing trend",
                "moved": "rose",
                "kept": "kept rising",
                "move": "rise",
                "a_course": "an upward course",
                "direction": "upward",
            },
            {
                "a_trend": "an upward trend",
                "moved": "increased",
                "kept": "kept increasing",
                "move": "increase",
                "a_course": "an increasing course",
                "direction": "increasing",
            },
        ),
        "decreasing": (
            {
                "a_trend": "a decreasing trend",
                "moved": "fell",
                "kept": "kept falling",
                "move": "fall",
                "a_course": "a downward course",
                "direction": "downward",
            },
            {
                "a_trend": "a downward trend",
                "moved": "decreased",
                "kept": "kept decreasing",
                "move": "decrease",
                "a_course": "a decreasing course",
                "direction": "decreasing",
            },
        ),
        "stable": (
            {
                "a_trend": "a stable trend",
                "moved": "held steady",
                "kept": "kept steady",
                "move": "hold steady",
                "a_course": "a level course",
                "direction": "level",
            },
            {
                "a_trend": "a steady trend",
                "moved": "remained stable",
                "kept": "stayed stable",
                "move": "stay stable",
                "a_course": "a stable course",
                "direction": "stable",
            },
        ),
    },
    anomaly_words={
        "peak": ({"an_anomaly": "a peak"}, {"an_anomaly": "a spike"}),
        "drop": ({"an_anomaly": "a drop"}, {"an_anomaly": "a sudden drop"}),
    },
    groups={"Heart": "Heart", "Activity": "Activity", "Sleep": "Sleep", "EDA": "Skin"},
    units={
        "bpm": " bpm",
        "ms": " ms",
        "ms^2": " ms²",
        "nat": " nats",
        "steps/min": " per minute",
        "uS": " µS",
        "uS/min": " µS per minute",
        "degC": " °C",
        "%": "%",
    },
    span={"minutes": "minutes {start} and {end}", "clock": "{start} and {end}"},
    time={"minutes": "minute {time}", "clock": "{time}"},
    join=_join,
    opening=opening_sentence,
)
