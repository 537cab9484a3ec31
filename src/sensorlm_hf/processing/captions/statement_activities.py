"""Wordings of claims about activities, groups of activities and moods.

See `statement_wordings` for the grammar. `{G}` is a gerund ("lifting weights"), `{PAST}` a past tense ("lifted
weights"), `{N}` a noun ("a weights session") and `{M}` the noun without its article.
"""

from __future__ import annotations

from collections.abc import Mapping

from .statement_wordings import parse

ACTIVITY_TEMPLATES = parse("""
{S} {PAST}
{S} {PAST} [today|that day|on this day|at some point]
{S} spent [time|some time|part of the day|a while] {G}
[at some point|at one point|for a while], {S} {W} {G}
there was {N}
there was {N} [today|that day|at some point]
the day [included|featured|contained|saw] {N}
[some of the day|part of the day|a stretch of the day] was spent {G}
{S} [had|enjoyed|got in|managed] {N}
{S} {W} busy {G}
{device} [recorded|captured|picked up|logged] {N}
the [signals|data|readings] come from someone {G}
the log lists {N}
what {S} did was {N}
among other things, {S} {PAST}
{S} [found|took] the time for {G}
- {N}
- {G}
- a day with {N}
- a day of {G}
- someone {G}
- a person {G}
- time spent {G}
- {N} [today|that day]
- a recording of {N}
- sensor data of {N}
- a person who {PAST}
- a wearer [busy|occupied with] {G}
- {P} {M}
- activity: {G}
- activity: {N}
! {S} did not spend [any time|a single minute] {G}
! not a minute was spent {G}
! at no point {W} {S} {G}
! there was no {M}
! there was no {M} [today|that day|at all]
! the day did not [include|feature] {N}
! {G} [was not part of the day|did not take place|was not on the agenda]
! it cannot be said that {S} {PAST}
! {device} did not [record|capture] {N}
! {S} [did not have|had no time for] {N}
! nobody {PAST} [today|that day]
!- no {M}
!- no {M} [today|that day|at all]
!- a day without {G}
!- a day without {N}
!- not a minute of {G}
!- someone who was never {G}
""")

ACTIVITY_PART_TEMPLATES = parse("""
{S} {PAST} {in}
{in}, {S} {PAST}
{in}, {S} {W} {G}
{in}, there was {N}
there was {N} {in}
{S} spent [time|some time|a while] {G} {in}
part of {the_part} was spent {G}
{S} [had|got in|managed] {N} {in}
{the_part} [included|featured|saw] {N}
{in}, {device} [recorded|captured|picked up] {N}
{S} used {the_part} for {G}
the log lists {N} {in}
- {N} {in}
- {G} {in}
- someone {G} {in}
- a(n) {part} of {G}
- a(n) {part} with {N}
- a day with {N} {in}
- a person who {PAST} {in}
- {part}: {N}
- time spent {G} {in}
! {S} did not spend any time {G} {in}
! {in}, there was no {M}
! there was no {M} {in}
! {the_part} did not include {N}
! at no point {in} {W} {S} {G}
! it cannot be said that {S} {PAST} {in}
!- no {M} {in}
!- a(n) {part} without {G}
!- a(n) {part} without {N}
""")

_LENGTHS: Mapping[str, tuple[str, str]] = {
    # length: (for how long, how much)
    "short": (
        "[briefly|for a short time|for a short while|for half an hour at most|for less than three quarters of an hour|"
        "for only a little while]",
        "[a short spell|a brief spell|half an hour at most|a little bit|a short bout]",
    ),
    "over_hour": (
        "[for more than an hour|for over an hour|for upwards of an hour|for more than sixty minutes]",
        "[more than an hour|over an hour|upwards of sixty minutes]",
    ),
    "long": (
        "[for a long time|at length|for quite a while|for well over an hour|for a good long while]",
        "[a long spell|a long stretch|well over an hour|a good long while]",
    ),
    "hours": (
        "[for hours|for a couple of hours or more|for two hours or more|for at least two hours|for hours on end]",
        "[hours|two hours or more|at least a couple of hours|more than two hours|hours on end]",
    ),
}
LENGTH_SLOTS: Mapping[str, Mapping[str, str]] = {
    length: {"for": how_long, "much": how_much} for length, (how_long, how_much) in _LENGTHS.items()
}
"""Slots of the lengths of an activity: `{for}` is "for more than an hour", `{much}` is "more than an hour"."""

LENGTH_TEMPLATES = parse("""
{S} {W} {G} {for}
{S} {W} busy {G} {for}
{S} spent {much} {G}
{S} [kept|stayed] busy {G} {for}
{for}, {S} {W} {G}
{S} devoted {much} to {G}
{device} recorded {much} of {G}
the log lists {much} of {G}
there was {N}, and it went on {for}
{S} had {N}, lasting {much}
{S} put in {much} of {G}
- {much} of {G}
- {G} {for}
- someone {G} {for}
- a person {G} {for}
- {N} lasting {much}
- a day with {much} of {G}
- {G}: {much}
! {S} did not spend {much} {G}
! {S} {W} not {G} {for}
! it was not the case that {S} {W} {G} {for}
! there was not {much} of {G}
!- no {M} lasting {much}
!- not {much} of {G}
!- a day without {much} of {G}
""")
"""Templates of the length of an activity's longest bout."""

MOOD_WORDS: Mapping[str, tuple[str, str]] = {
    # mood: (adjectives, nouns)
    "calm": ("[calm|relaxed|serene|at ease|peaceful|composed]", "[calm|serenity|peace of mind|relaxation|composure]"),
    "happy": ("[happy|cheerful|joyful|glad|delighted]", "[happiness|joy|cheerfulness|good cheer]"),
    "content": ("[content|satisfied|contented|pleased]", "[contentment|satisfaction|quiet pleasure]"),
    "energetic": ("[energetic|full of energy|lively|vigorous|full of beans]", "[energy|vigour|liveliness|vitality]"),
    "tired": ("[tired|weary|sleepy|exhausted|worn out|drowsy]", "[tiredness|fatigue|weariness|exhaustion]"),
    "stressed": ("[stressed|under pressure|tense|strained|under stress]", "[stress|tension|strain|pressure]"),
    "anxious": ("[anxious|nervous|worried|uneasy|fearful]", "[anxiety|nervousness|worry|unease]"),
    "sad": ("[sad|unhappy|sorrowful|down in the dumps|tearful]", "[sadness|sorrow|unhappiness]"),
    "irritable": ("[irritable|annoyed|grumpy|on edge|short-tempered|cross]", "[irritability|annoyance|grumpiness]"),
}
"""Words for moods: adjectives (`{A}`) and nouns (`{N}`)."""

MOOD_TEMPLATES = parse("""
{S} felt {A} [|today|that day|at some point|for a while]
{S} {W} {A} [|today|that day|at some point]
{S} {W} feeling {A}
there was a feeling of {N}
the diary [mentions|speaks of|lists] {N}
{S} [reported|noted|logged] a feeling of {N}
{S} described [the mood|the feeling] as {A}
[today|that day], {S} felt {A}
{N} [was logged|was noted|was reported|found its way into the diary]
a feeling of {N} was in the air
- feeling {A}
- a feeling of {N}
- {N} [|in the diary|reported]
- mood: {A}
- someone feeling {A}
- a person who felt {A}
- a day of {N}
- a moment of {N}
! {S} did not feel {A}
! {S} {W} not {A} [|today|that day]
! there was no [sign|trace|feeling] of {N}
! {N} was not mentioned
!- no feeling of {N}
!- not feeling {A}
!- a day without {N}
""")
"""Templates of each mood."""
