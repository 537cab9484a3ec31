"""Wordings of levels of the heart: its rate, range and variability.

See `statement_wordings` for the grammar. Grades without templates of their own share those of all levels.
"""

from __future__ import annotations

from .statement_wordings import LevelWords, level_words

_FAST = {
    "very_high": "[racing|{very} fast|very rapid]",
    "high": "[fast|quick|rapid|accelerated|brisk]",
    "average": "[even-paced|middle-of-the-road]",
    "low": "[slow|unhurried|calm]",
    "very_low": "[{very} slow|remarkably calm]",
}
_WIDE = {
    "very_high": "[{very} large|{very} wide|huge]",
    "high": "[large|wide|considerable|pronounced]",
    "low": "[small|narrow|limited|modest]",
    "very_low": "[{very} small|{very} narrow|tiny|negligible]",
}

HEART_WORDS: dict[str, LevelWords] = {
    "heart_rate": level_words(
        "[heart rate|pulse|heartbeat|average heart rate|mean pulse|cardiac rhythm|heart rhythm|heart rate on average]",
        _FAST,
        very_high="""
{P} heart was [racing|pounding|beating very fast] [for much of the day|again and again|on the whole]
- a day with a racing heart
- a heart that [raced|pounded] through the day
! {P} heart was not racing
""",
        high="""
{P} heart [beat|was beating] [fast|quickly|rapidly|faster than usual]
{P} heart [worked hard|had a lot to do|was busy] {on}
a lot of heartbeats [per minute|each minute] were counted
on average, {P} heart beat faster than [most|that of most people]
- a fast-beating heart
- [many|a lot of] beats per minute
! {P} heart did not beat [fast|quickly]
! {P} heart never had to hurry
""",
        average="""
{P} heart beat at [an ordinary|a normal|a typical] pace
- neither a fast nor a slow heart
""",
        low="""
{P} heart [beat|was beating] [slowly|calmly|at a leisurely pace]
{P} heart [took it easy|was in no hurry] {on}
few heartbeats [per minute|each minute] were counted
on average, {P} heart beat more slowly than [most|that of most people]
- a [slow|calm]-beating heart
- few beats per minute
! {P} heart did not beat slowly
""",
        very_low="""
{P} heart [hardly ever sped up|beat very slowly]
- a very slow heart
""",
    ),
    "heart_rate_peak": level_words(
        "[peak heart rate|maximum heart rate|highest pulse|top heart rate|peak pulse|maximal heart rate|"
        "highest heart rate of the day|heart-rate peak]",
        high="""
at [its|the] peak, {P} heart [beat|was beating] fast
{P} heart rate [shot up|climbed high|rose high|spiked] [at some point|at times|for a while]
{P} pulse got [really fast|high] [at some point|at times]
- a pulse that [climbed high|shot up]
- spikes of heart rate
! {P} heart rate never [got high|shot up|climbed high|spiked]
! {P} pulse never really rose
!- a pulse that never got high
""",
        very_high="""
{P} heart rate went [close to its limit|through the roof] [at some point|at times]
{P} heart was pounding hard at [its|the] peak
- maximal effort for the heart at some point
! the heart was never pushed [hard|to its limit]
""",
        low="""
{P} heart rate [never got high|never rose much|did not climb far]
even at [its|the] peak, {P} pulse was calm
- a pulse without any high peak
- a day without a high pulse
! {P} heart rate did climb [high|quite a bit] [at some point|at times]
""",
    ),
    "heart_rate_lowest": level_words(
        "[lowest heart rate|minimum heart rate|heart-rate minimum|lowest pulse|minimum pulse|bottom heart rate]",
        low="""
{P} heart rate [dropped|sank|fell] [low|a long way] at times
at its slowest, {P} heart beat [very calmly|slowly]
- a pulse that [dropped low|sank far] at its calmest
! {P} heart rate never [dropped|sank|fell] low
""",
        high="""
{P} heart rate never [dropped|sank|fell] [low|very far]
even at its calmest, {P} pulse was rather fast
- a pulse that never [sank|dropped] far
! {P} heart rate did [sink|drop] low at times
""",
    ),
    "heart_rate_rest": level_words(
        "[resting heart rate|heart rate at rest|pulse at rest|resting pulse|heart rate while sitting still]",
        _FAST,
        high="""
{P} heart beat [fast|quickly] even at rest
even when [sitting still|resting|doing nothing], {P} heart was [beating fast|rather fast]
- a heart that is fast even at rest
! at rest, {P} heart did not beat fast
""",
        low="""
at rest, {P} heart beat [slowly|calmly]
when [sitting still|resting], {P} heart was slow
- the slow resting pulse of [a fit person|someone in good shape]
! at rest, {P} heart was not slow
""",
    ),
    "heart_rate_range": level_words(
        "[heart-rate range|range of heart rates|spread of the heart rate|span between slowest and fastest pulse|"
        "difference between lowest and highest heart rate|range of the pulse|swing of the heart rate]",
        _WIDE,
        high="""
{P} heart rate [varied widely|changed a lot|swung up and down|covered a wide range] {on}
{P} pulse [went|ranged] from very slow to very fast
- a pulse with big ups and downs
- large swings of the heart rate
! {P} heart rate did not [vary|change|swing] much
""",
        low="""
{P} heart rate [hardly varied|changed little|stayed within narrow limits|kept much the same level] {on}
{P} pulse was [flat|steady|even] {on}
- a [flat|steady|even] pulse
- small swings of the heart rate
! {P} heart rate [was not steady|did not stay at one level]
""",
    ),
    "rmssd": level_words(
        "[heart-rate variability|HRV|beat-to-beat variability|RMSSD|short-term heart-rate variability|"
        "variability of the beat intervals|variation from beat to beat|heart rate variability (RMSSD)]",
        _WIDE,
        high="""
the [intervals|time|gaps] between [heartbeats|beats] [varied|changed] a lot
the intervals between [heartbeats|beats] were irregular in a healthy way
a [strong|lively] vagal tone showed in the heartbeat
- [irregular|variable] intervals from one beat to the next
- a relaxed nervous system, judging by the HRV
! the intervals between heartbeats did not vary [much|a lot]
""",
        low="""
the [intervals|time|gaps] between [heartbeats|beats] [hardly varied|changed little]
the heart [ticked|beat] like [clockwork|a metronome]
- [regular|uniform] intervals from one beat to the next
- a nervous system under strain, judging by the HRV
! the heart did not [tick|beat] like [clockwork|a metronome]
""",
    ),
    "sdnn": level_words(
        "[SDNN|overall heart-rate variability|standard deviation of the beat intervals|total HRV|"
        "heart-rate variability (SDNN)|total variability of the beat intervals]",
        _WIDE,
        high="""
the [beat intervals|RR intervals] were [widely spread|spread out]
- a wide spread of beat intervals
! the [beat intervals|RR intervals] were not widely spread
""",
        low="""
the [beat intervals|RR intervals] were [close together|hardly spread]
- a narrow spread of beat intervals
! the [beat intervals|RR intervals] were not close together
""",
    ),
    "sleep_heart_rate": level_words(
        "[heart rate during sleep|sleeping heart rate|pulse while asleep|nocturnal heart rate|heart rate in bed]",
        _FAST,
        high="""
{P} heart beat fast [even in sleep|while sleeping|during sleep]
- a heart that did not calm down in sleep
! {P} heart did not beat fast in sleep
""",
        low="""
{P} heart [slowed down|calmed down] [deeply|a lot] [in sleep|during sleep]
- a heart that rested in sleep
! {P} heart did not slow down much in sleep
""",
    ),
    "exercise_heart_rate": level_words(
        "[heart rate during exercise|exercise heart rate|workout heart rate|pulse while exercising|"
        "heart rate in training|exercise intensity]",
        high="""
{S} [exercised|trained] [hard|vigorously|intensely]
the [workout|exercise|training] was [hard|intense|strenuous|exhausting]
exercise [pushed|drove] {P} heart rate up
- a [hard|tough|strenuous|sweaty] workout
- vigorous exercise
! the [workout|exercise] was not [hard|strenuous]
!- exercise without much effort for the heart
""",
        low="""
{S} [exercised|trained] [gently|lightly|at an easy pace]
the [workout|exercise|training] was [easy|light|gentle]
exercise hardly [raised|affected] {P} heart rate
- [light|gentle|easy] exercise
- a relaxed workout
! the [workout|exercise] was not [easy|light]
!- anything but an easy workout
""",
    ),
    "heart_rate_part": level_words("[heart rate|pulse|heartbeat|average heart rate]", _FAST, high="""
{in}, {P} heart [beat|was beating] [fast|quickly]
! {in}, {P} heart did not beat fast
""", low="""
{in}, {P} heart [beat|was beating] [slowly|calmly]
! {in}, {P} heart did not beat slowly
"""),
}  # fmt: skip
"""Wordings by kind of level."""
