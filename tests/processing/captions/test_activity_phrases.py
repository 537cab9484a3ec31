"""The everyday wordings of activities: which exist, how many, and whether they fit their slots."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from sensorlm_hf.activities import ACTIVITIES, ACTIVITY_BY_NAME, canonical_activity
from sensorlm_hf.processing.captions.activity_phrases import (
    ACTIVITY_GROUPS,
    ACTIVITY_PHRASES,
    NAP,
    ActivityPhrases,
)

# Capitalised words: names, abbreviations and brands.
PROPER = {
    *("HIIT", "AMRAP", "EMOM", "WOD", "Tabata", "CrossFit", "Pilates", "Cadillac", "Kundalini", "Zumba", "Lycra"),
    *("Peloton", "Zwift", "StairMaster", "Arc", "Trainer", "Concept2", "Nordic", "TV", "Netflix", "Instagram", "REM"),
    *("H-O-R-S-E", "A", "B"),
}
BANNED = (
    r"minutes?|hours?|seconds?|days?|weeks?|months?|years?|long|longer|all day|morning|noon|midday|afternoon|evening|"
    r"(mid|over)?night|tonight|today|yesterday|tomorrow|dawn|sunrise|sunset|dusk|breakfast|lunch|dinner|supper|"
    r"(mon|tues|wednes|thurs|fri|satur|sun)day|weekend|my|your|his|her|their|its|our|myself|themselves|was|were|is|are"
)
# Past forms that do not end in -ed.
IRREGULAR = re.compile(
    r"(went|did|took|had|gave|set|put|ran|hit|got|kept|rode|spun|drove|hung|strode|swung|swam|lost|won|drew|ground|lay|"
    r"sat|slept|fell|caught|read|ate|made|shot|sank|held|wove|drank|bent|saw|stood|built|chose|spent|unwound|babysat|"
    r"threw|came|fed|slid|dug|broke|dealt|three-putted)\b"
)
MASS = re.compile(r"(a|an|some|the|forty) \w|(golf|work|football training|office work|manual work|something .*|sleep)$")
GROUPS = {group.name: group for group in ACTIVITY_GROUPS}
OWNERS: list[tuple[str, ActivityPhrases]] = [
    *ACTIVITY_PHRASES.items(),
    *((group.name, group.phrases) for group in ACTIVITY_GROUPS),
]


def test_every_activity_has_phrases() -> None:
    assert set(ACTIVITY_PHRASES) == {*(activity.name for activity in ACTIVITIES), NAP}


@pytest.mark.parametrize("name", ACTIVITY_PHRASES)
def test_activities_have_enough_phrases(name: str) -> None:
    benchmark = name != NAP and ACTIVITY_BY_NAME[name].benchmark
    phrases = ACTIVITY_PHRASES[name]
    least = min(map(len, (phrases.gerunds, phrases.past, phrases.nouns)))
    assert least >= (18 if benchmark else 8)


def test_groups_have_members_and_enough_phrases() -> None:
    assert len(ACTIVITY_GROUPS) == len(GROUPS) >= 18
    for group in ACTIVITY_GROUPS:
        assert group.members, group.name
        assert len(set(group.members)) == len(group.members), group.name
        assert set(group.members) <= set(ACTIVITY_PHRASES), group.name
        assert min(map(len, (group.phrases.gerunds, group.phrases.past, group.phrases.nouns))) >= 8, group.name


@pytest.mark.parametrize(
    ("name", "members"),
    [
        ("ball games", {"tennis", "football", "basketball", "golf"}),
        ("outdoor sports", {"tennis", "football", "golf", "skiing"}),
        ("machine cardio", {"treadmill running", "indoor cycling", "elliptical", "rowing machine"}),
        ("strength exercise", {"weight lifting", "HIIT", "pilates"}),
        ("water exercise", {"swimming"}),
        ("exercise on foot", {"walking", "running", "treadmill running", "hiking", "stair climbing"}),
        (
            "vigorous exercise",
            {"running", "treadmill running", "outdoor cycling", "indoor cycling", "rowing machine", "stair climbing"}
            | {"HIIT", "tennis", "football", "basketball", "dancing"},
        ),
        (
            "travelling",
            {"commuting by car", "commuting by public transport", "walking to work", "cycling to work"},
        ),
        (
            "sedentary time",
            {"watching television", "reading", "using a phone or computer", "office work", "meal", "socialising"},
        ),
    ],
)
def test_members_that_follow_from_the_table(name: str, members: set[str]) -> None:
    assert set(GROUPS[name].members) == members


def test_exercises_are_divided_by_place() -> None:
    outdoor, indoor = set(GROUPS["outdoor exercise"].members), set(GROUPS["indoor exercise"].members)
    assert not outdoor & indoor
    assert outdoor | indoor == set(GROUPS["exercise"].members)


def test_no_phrase_is_used_twice() -> None:
    counts = Counter(phrase.lower() for _, phrases in OWNERS for phrase in phrases.all)
    assert {phrase for phrase, count in counts.items() if count > 1} == set()


def test_no_phrase_of_an_activity_names_another() -> None:
    for name, phrases in ACTIVITY_PHRASES.items():
        own = "sleeping" if name == NAP else name
        for phrase in phrases.all:
            bare = re.sub(r"^(a|an|some|the) ", "", phrase)
            assert {canonical_activity(phrase), canonical_activity(bare)} <= {None, own}, (name, phrase)


@pytest.mark.parametrize(("name", "phrases"), OWNERS, ids=[f"{i}-{name}" for i, (name, _) in enumerate(OWNERS)])
def test_phrases_fit_their_slots(name: str, phrases: ActivityPhrases) -> None:
    for phrase in phrases.all:
        assert phrase == " ".join(phrase.split())
        assert phrase[-1] not in ".!?,;:", phrase
        assert not re.search(rf"\b({BANNED})\b", phrase), phrase
        capitals = {word.strip(",") for word in phrase.split() if word.lower() != word}
        assert capitals <= PROPER, phrase
    for phrase in phrases.gerunds:
        assert re.match(r"\w+(-\w+)?ing\b|.*(\band\b|ly|not) ?\w*ing\b|\w+ \w+ing\b", phrase), phrase
    for phrase in phrases.past:
        assert IRREGULAR.match(phrase) or re.match(r"(\w+ )?\w+ed\b", phrase), phrase
    for phrase in phrases.nouns:
        assert MASS.match(phrase), phrase


def test_forms_are_not_mixed_up() -> None:
    """Only gerunds start with an -ing word."""
    for _, phrases in OWNERS:
        assert not any(re.match(r"(?!something)\w+ing\b", phrase) for phrase in (*phrases.past, *phrases.nouns))


def test_most_exercise_phrases_avoid_the_name() -> None:
    """Others would teach nothing that the name does not."""
    for activity in ACTIVITIES:
        if not activity.benchmark:
            continue
        names = [activity.name.lower().split()[0], activity.name.lower()[:-4] if activity.name.endswith("ing") else ""]
        stem = names[1] or names[0]
        every = ACTIVITY_PHRASES[activity.name].all
        assert sum(stem not in phrase.lower() for phrase in every) >= 10, activity.name
