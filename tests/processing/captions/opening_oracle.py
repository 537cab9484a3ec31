"""Reads an opening sentence back into claims and checks them against the day; shares no code with the product."""

from __future__ import annotations

import re
from datetime import timedelta, timezone

import numpy as np

from sensorlm_hf.activities import canonical_activity
from sensorlm_hf.days import SensorDay

_UNITS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SMALL = {word: number for number, word in enumerate(_UNITS)} | {w: 10 * (i + 2) for i, w in enumerate(_TENS)}
_OTHER_WORDS = frozenset(
    (
        *(
            "a",
            "an",
            "this",
            "was",
            "day",
            "working",
            "otherwise",
            "with",
            "on",
            "there",
            "time",
            "for",
            "stood",
            "out",
        ),
        *("and", "recorded", "recording", "mostly", "spent", "in", "bed", "without", "any", "signal", "though", "but"),
        *("although", "the", "log", "has", "names", "lists"),
    )
)
_W = rf"(?:{'|'.join(sorted(_SMALL, key=len, reverse=True))})(?:-(?:{'|'.join(list(_SMALL)[1:10])}))?"
_NUMBER = rf"(?:(?:a|{_W}) hundred and {_W}|(?:a|{_W}) hundred|{_W})"
DURATION = (
    r"(?:a quarter of an hour|three quarters of an hour|half an hour"
    r"|an hour(?: and (?:a half|a quarter|three quarters))?"
    rf"|{_W}(?: and a half)? hours|{_W} minutes|a few minutes|{_W} days)"
)
_HEDGE = r"(?P<hedge>about|nearly|just over)? ?"
_WHEN = (
    r"(?P<when> (?:in the (?:early morning|morning|afternoon|evening)|around midday|at night"
    r"|from the \w+ into the \w+|split between the \w+ and the \w+|spread over the day|over the day"
    r"|in the course of the day))?"
)
_HOURS = {
    "early morning": (5, 8),
    "morning": (5, 12),
    "midday": (12, 14),
    "afternoon": (12, 18),
    "evening": (18, 22),
    "night": (22, 29),
    "small hours": (0, 5),
}


def number_of(words: str) -> int:
    total = 0
    for word in re.split(r"[ -]", words.replace(" and ", " ")):
        total = total * 100 if word == "hundred" else total + (1 if word == "a" else _SMALL[word])
    return total


def minutes_of(words: str) -> float:
    fixed = {
        "a few minutes": 4,
        "a quarter of an hour": 15,
        "half an hour": 30,
        "three quarters of an hour": 45,
        "an hour": 60,
        "an hour and a quarter": 75,
        "an hour and a half": 90,
        "an hour and three quarters": 105,
        "hour": 60,
        "hour and a half": 90,
    }
    if words in fixed:
        return fixed[words]
    half = " and a half" in words
    words = words.replace(" and a half", "")
    number, unit = words.rsplit(" ", 1)
    return (number_of(number) + 0.5 * half) * {"minutes": 1, "hours": 60, "days": 1440}[unit]


def local_minute(day: SensorDay, minute: int) -> int:
    moment = day.start.astimezone(timezone.utc) + timedelta(minutes=int(minute))
    local = moment.astimezone(day.start.tzinfo)
    return local.hour * 60 + local.minute


def is_within(day: SensorDay, minute: int, part: str) -> bool:
    first, last = _HOURS[part]
    clock = local_minute(day, minute)
    return any(60 * first <= clock + turn < 60 * last for turn in (0, 1440))


def _union(spans: list[tuple[int, int]], length: int) -> np.ndarray:
    flags = np.zeros(length, dtype=bool)
    for start, end in spans:
        flags[max(start, 0) : max(end, 0)] = True
    return flags


def _tolerance(stated: float, hedge: str | None) -> float:
    """What rounding may hide; a hedge also says on which side the truth lies."""
    return 15 if stated >= 105 else 8 if stated >= 50 else 5


def problems(sentence: str, day: SensorDay) -> list[str]:
    """Returns what is wrong with the claims of a sentence; empty if all of them hold."""
    wrong: list[str] = []
    length, rest = len(day), sentence[0].lower() + sentence[1:]
    mask = ~np.isnan(day.values)
    worn = mask.any(axis=1)

    def check(ok: bool, what: str) -> None:
        if not ok:
            wrong.append(f"{what!s}: {sentence}")

    def near(stated: float, truth: float, hedge: str | None, what: str) -> None:
        check(abs(stated - truth) <= _tolerance(stated, hedge), f"{what} is {truth}, not {stated}")
        if hedge == "nearly":
            check(truth < stated, f"{what} is {truth}, not below {stated}")
        if hedge == "just over":
            check(truth > stated, f"{what} is {truth}, not over {stated}")

    def take(pattern: str) -> list[re.Match[str]]:
        nonlocal rest
        found = list(re.finditer(pattern, rest))
        rest = re.sub(pattern, "#", rest)
        return found

    short_of = re.search(r"\brecording of\b", rest) is not None
    first, last = 0, length
    if short_of and worn.any():
        first, last = int(np.argmax(worn)), length - int(np.argmax(worn[::-1]))
    clip = lambda e: (max(e.start_minute, first), min(e.end_minute, last))  # noqa: E731
    logged = [e for e in day.events if clip(e)[0] < clip(e)[1]]
    naps = [e for e in logged if e.kind == "sleep" and "nap" in e.label and clip(e)[1] - clip(e)[0] < 150]
    naps = [e for e in naps if 5 <= local_minute(day, sum(clip(e)) // 2) // 60 < 22]
    nights = [e for e in logged if e.kind == "sleep" and e not in naps]
    slept = int(_union([clip(e) for e in nights], length).sum())

    # Sleep
    for m in take(
        rf"the (?P<which>first|last) (?P<d>hour and a half|hour|{_W}(?: and a half)? hours) of a night's sleep"
    ):
        check(abs(minutes_of(m["d"]) - slept) <= 16, f"sleep is {slept} minutes")
        outside = [e.start_minute < 0 if m["which"] == "last" else e.end_minute > length for e in nights]
        check(any(outside), "the night is not cut")
    for m in take(rf"a (?P<size>short|long) night of {_HEDGE}(?P<d>{DURATION})"):
        near(minutes_of(m["d"]), slept, m["hedge"], "the night")
        check(slept < 330 if m["size"] == "short" else slept >= 570, "the size of the night")
        check(all(e.start_minute > 0 and e.end_minute < length for e in nights), "the night is cut")
    for m in take(rf"{_HEDGE}(?P<d>{DURATION}) of sleep\b"):
        near(minutes_of(m["d"]), slept, m["hedge"], "sleep")
        check(abs(minutes_of(m["d"]) - slept) <= 30, "sleep to half an hour")
    # Naps
    for m in take(rf"(?P<n>{_W}) naps\b"):
        check(number_of(m["n"]) == len(naps), f"{len(naps)} naps")
    for m in take(rf"a (?P<size>short |long )?nap{_WHEN}"):
        check(len(naps) == 1, f"{len(naps)} naps")
        for e in naps:
            part = re.sub(r"^ (in the|around|at) ", "", m["when"] or "")
            check(not part or is_within(day, sum(clip(e)) // 2, part), "time of the nap")
            size = clip(e)[1] - clip(e)[0]
            check(
                size <= 30 if m["size"] == "short " else size >= 75 if m["size"] else 30 < size < 75, "size of the nap"
            )
    # Signals
    keys = {c.key.lower(): i for i, c in enumerate(day.schema)}
    steps = day.values[:, keys["steps"]] if "steps" in keys else np.full(length, np.nan)
    beats = day.values[:, keys["hr"]] if "hr" in keys else np.full(length, np.nan)
    total = float(np.nansum(steps))
    seen = np.isfinite(beats)
    raised = int((beats >= np.percentile(beats[seen], 10) + 50).sum()) if seen.sum() >= 360 else 0
    for m in take(
        r"(?:(?:about|some|roughly) )?(?P<n>[a-z-]+(?: [a-z-]+)?) (?P<unit>thousand|hundred) (?:recorded )?steps\b"
    ):
        words = m["n"].split(" ")[-1]
        stated = (1 if words == "a" else number_of(words)) * {"thousand": 1000, "hundred": 100}[m["unit"]]
        check(abs(stated - total) <= (51 if stated < 1000 else 501), f"{total} steps")
        check(bool(np.isfinite(steps).any()), "steps were not observed")
    for m in take(r"no recorded steps|hardly any (recorded )?steps"):
        check(total < 50 and bool(np.isfinite(steps).any()), f"{total} steps, not {m.group()}")
    beat = (
        rf"(?:an average heart rate of about|a heart rate of around|a heart rate that averaged about) (?P<n>{_NUMBER})"
    )
    for m in take(rf"{beat} beats per minute(?: on average)?"):
        check(bool(seen.any()) and abs(np.nanmean(beats.astype(float)) - number_of(m["n"])) <= 2.6, "the heart rate")
    for m in take(rf"{_HEDGE}(?P<d>{DURATION}) of raised heart rate"):
        near(minutes_of(m["d"]), raised, m["hedge"], "raised heart rate")
    for m in take(rf"(?:only )?{_HEDGE}(?P<d>{DURATION}) of recorded signals"):
        near(minutes_of(m["d"]), int(worn.sum()), m["hedge"], "recorded signals")
    where = r" (?:in the (?:early morning|morning|afternoon|evening)|around midday|at night)"
    for m in take(rf"recording of {_HEDGE}(?P<d>{DURATION})(?P<w>{where})?"):
        span = int(worn.sum())
        check(abs(minutes_of(m["d"]) - span) <= (720 if "days" in m["d"] else 16), f"{span} minutes recorded")
        if m["w"]:
            part = re.sub(r"^ (in the|around|at) ", "", m["w"])
            share = np.mean([is_within(day, int(i), part) for i in np.flatnonzero(worn)])
            check(share >= 0.7, f"only {share:.0%} in that part of the day")
    # Gaps
    gap = r"[;,] (?:though |but )?nothing was recorded "
    for m in take(gap + r"(?P<how>throughout|for most of) the (?P<part>small hours|\w+)"):
        inside = np.array([is_within(day, i, m["part"]) for i in range(length)])
        share = float((~worn)[inside].mean()) if m["part"] != "night" else 1.0
        check(share >= (0.95 if m["how"] == "throughout" else 0.55), f"{share:.0%} missing")
        if m["part"] == "night":
            check((~worn)[inside].sum() >= 100, "the night was recorded")
    for m in take(gap + r"from (?:the )?(?P<part>[a-z ]+?) on\b"):
        start = length - int(np.argmax(worn[::-1]))
        check(is_within(day, start, m["part"]) and length - start >= 150, "start of the gap")
    for m in take(gap + r"until (?:the )?(?P<part>[a-z ]+?)(?=\.|,)"):
        check(is_within(day, int(np.argmax(worn)), m["part"]), "end of the gap")
    for m in take(gap + rf"for {_HEDGE}(?P<d>{DURATION})(?P<all> in all)?{_WHEN}"):
        edges = np.flatnonzero(np.diff(np.r_[0, (~worn).astype(int), 0]))
        runs = [b - a for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= 150]
        near(minutes_of(m["d"]), sum(runs), m["hedge"], "the gaps")
    for m in take(gap + r"from the (?P<a>\w+) into the (?P<b>\w+)"):
        inside = [i for i in range(length) if not worn[i]]
        check(any(is_within(day, i, m["a"]) for i in inside) and any(is_within(day, i, m["b"]) for i in inside), "gap")
    # Activities: whatever the log calls them
    spans: dict[str, list[tuple[int, int]]] = {}
    for e in logged:
        if e.kind == "activity":
            for name in {e.label.lower(), (canonical_activity(e.label) or e.label).lower()}:
                spans.setdefault(name, []).append(clip(e))
    machines = {"rowing machine": "the rowing machine", "elliptical": "the elliptical trainer"}
    for name in sorted(spans, key=len, reverse=True):
        flags = _union(spans[name], length)
        said = re.escape(name)
        patterns = (
            rf"{_HEDGE}(?P<d>{DURATION}) of {said}\b{_WHEN}",
            rf"{_HEDGE}(?P<d>{DURATION}) on {re.escape(machines.get(name, '#'))}{_WHEN}",
            rf"\ban? {said} of {_HEDGE}(?P<d>{DURATION}){_WHEN}",
            rf"a short session of {said}\b(?P<d>)(?P<hedge>)?{_WHEN}",
        )
        for m in (m for pattern in patterns for m in take("(?i)" + pattern)):
            truth = int(flags.sum())
            if m["d"]:
                near(minutes_of(m["d"]), truth, m["hedge"], name)
            else:
                check(truth < 18, f"{name} took {truth} minutes")
            if m["when"] and "day" not in m["when"].replace("midday", ""):
                edges = np.flatnonzero(np.diff(np.r_[0, flags.astype(int), 0]))
                middles = [(a + b) // 2 for a, b in zip(edges[::2], edges[1::2], strict=True)]
                if " into " in m["when"]:
                    a, b = re.findall(r"the (\w+)", m["when"])
                    check(is_within(day, int(edges[0]), a) and is_within(day, int(edges[-1]) - 1, b), f"time of {name}")
                else:
                    parts = re.findall(r"early morning|morning|midday|afternoon|evening|night", m["when"])
                    check(all(any(is_within(day, x, p) for p in parts) for x in middles), f"time of {name}")
    # Character
    character = re.search(r"\b(very active|active|busy|ordinary|calm|quiet|restful)\b", rest)
    if character:
        named, moves = character[1], bool(np.isfinite(steps).any())
        check(moves or bool(seen.any()) or named == "restful", "a character without signals")
        bounds = {
            "very active": total >= 15_000,
            "active": total >= 10_000 or raised >= 60,
            "busy": 8000 <= total < 10_000,
            "ordinary": 3000 <= total < 8000 or raised >= 15 or not seen.any(),
            "calm": (total < 5000 or not moves) and raised < 15,
            "quiet": total < 3000 and raised < 15,
            "restful": True,
        }
        check(bounds[named], f"{total} steps, {raised} minutes raised")
        rest = rest.replace(named, "")
    if "working" in rest:
        work = _union([clip(e) for e in logged if e.kind == "activity" and "work" in e.label.lower()], length)
        check(work.sum() >= 180, f"{work.sum()} minutes of work")
    left = re.sub(r"[^a-z ]", " ", rest)
    unread = sorted(set(left.split()) - _OTHER_WORDS)
    check(not unread, f"unread words {unread}")
    return wrong
