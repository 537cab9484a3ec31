"""Numbers, durations and parts of the day in words, for openings of captions."""

from __future__ import annotations

import re

from .sentences import RandomChoices

_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_DURATIONS = {
    5: "five minutes",
    10: "ten minutes",
    15: "a quarter of an hour",
    20: "twenty minutes",
    25: "twenty-five minutes",
    30: "half an hour",
    40: "forty minutes",
    45: "three quarters of an hour",
    50: "fifty minutes",
    60: "an hour",
    75: "an hour and a quarter",
    90: "an hour and a half",
    105: "an hour and three quarters",
}


def number_in_words(value: int) -> str:
    """Returns a number below 1000 in words."""
    if value < 20:
        return _ONES[value]
    if value < 100:
        tens, ones = divmod(value, 10)
        return _TENS[tens] + (f"-{_ONES[ones]}" if ones else "")
    hundreds, rest = divmod(value, 100)
    return f"{_ONES[hundreds]} hundred" + (f" and {number_in_words(rest)}" if rest else "")


def _nearest(minutes: int) -> tuple[int, str]:
    """Returns a round duration near `minutes`, and its words."""
    if minutes > 112:
        halves = round(minutes / 30)
        hours, half = divmod(halves, 2)
        return 30 * halves, f"{number_in_words(hours)}{' and a half' if half else ''} hours"
    best = min(_DURATIONS, key=lambda d: (abs(d - minutes), d))
    return best, _DURATIONS[best]


def duration_in_words(minutes: int, choose: RandomChoices) -> str:
    """Returns a rounded duration in words: "an hour", "nearly two hours", "about half an hour"."""
    if minutes < 5:
        return "a few minutes"
    nearest, words = _nearest(minutes)
    draw = choose.next() % 3
    if abs(nearest - minutes) <= (2 if nearest < 60 else 4 if nearest < 120 else 10):
        return words
    if draw == 0:
        return f"{'just over' if minutes > nearest else 'nearly'} {words}"
    return f"about {words}"


def bare_duration_in_words(minutes: int) -> str:
    """Returns a rounded duration after "the first" or "the last"."""
    if minutes < 75:
        return "hour"
    return "hour and a half" if minutes < 105 else _nearest(max(minutes, 113))[1]


def with_article(phrase: str) -> str:
    """Puts "a" or "an" before a phrase, by the sound of its first word."""
    word = phrase.split()[0]
    first = word[0].lower()
    if len(word) > 1 and word.isupper() and word.isalpha() and word != "HIIT":  # said as a word
        an = first in "aefhilmnorsx"
    elif word[0].isdigit():
        an = word.startswith("8") or re.match(r"1[18](?!\d)", word) is not None
    else:
        lower = word.lower()
        consonantal = re.match(r"(eu|uni|use|usu|uti|one|ur[aio])", lower) is not None
        an = (first in "aeiou" and not consonantal) or lower.startswith(("hour", "honest", "heir"))
    return f"{'an' if an else 'a'} {phrase}"
