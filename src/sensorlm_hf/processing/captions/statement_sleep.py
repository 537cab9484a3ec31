"""Wordings of claims about sleep and naps.

See `statement_wordings` for the grammar.
"""

from __future__ import annotations

from collections.abc import Mapping

SLEEP: Mapping[str, str] = {
    "sleep_duration/very_short": """
{S} [hardly|barely] slept
{S} slept [very little|far too little|for only a few hours]
{S} [had|got] [hardly any|very little] sleep
the night was [very short|far too short]
- [very little|hardly any] sleep
- a very short night
- a badly sleep-deprived person
! {S} did not sleep very little
! the night was not very short
""",
    "sleep_duration/short": """
{S} slept [briefly|little|too little|less than needed|for a short time|not very long]
{S} [had|got] [little|not much|too little|not enough] sleep
the night was [short|rather short|too short]
{S} did not [get enough|get much] sleep
sleep was [brief|short|in short supply]
{S} slept [less than most people|fewer hours than recommended]
- a short [night|sleep]
- [little|not much|brief|too little] sleep
- a lack of sleep
- a person [short of sleep|who slept little]
! the night was not short
! {S} did not sleep briefly
! sleep was not in short supply
!- no short night
!- no lack of sleep
""",
    "sleep_duration/normal": """
{S} slept [about as long as most people|for a normal time|a usual number of hours]
{S} [had|got] [a normal|an ordinary|an average|a typical] amount of sleep
the night was of [normal|average|ordinary] length
the sleep was neither short nor long
- a [normal|typical|standard] amount of sleep
- a night of [normal|ordinary] length
- between seven and eight and a half hours of sleep
! {S} did not sleep for a normal time
!- a night of unusual length
""",
    "sleep_duration/long": """
{S} slept [long|for a long time|a lot|plenty|longer than most people]
{S} [had|got] [a lot of|plenty of|ample|more than enough] sleep
the night was [long|rather long]
there was [plenty of|enough] sleep
{S} slept [in full|until fully rested]
- a long [night|sleep]
- [plenty of|much|ample|a lot of] sleep
- a well-rested person
! {S} did not sleep long
! the night was not long
! {S} did not get a lot of sleep
!- no long night
!- not a lot of sleep
""",
    "sleep_duration/very_long": """
{S} slept [very long|for a very long time|exceptionally long]
{S} overslept by any standard
the night was very long
- [an exceptionally|a very] long [night|sleep]
- sleep for a large part of the day
! {S} did not sleep very long
! the night was not exceptionally long
""",
    "sleep_hours/over_nine": """
{S} slept for more than nine hours
{S} spent over nine hours asleep
- more than nine hours of sleep
- [over|in excess of] nine hours in bed
! {S} did not sleep for nine hours
!- less than nine hours of sleep
""",
    "sleep_hours/over_eight": """
{S} slept [for more than|over|for at least] eight hours
{S} spent over eight hours [asleep|in bed]
- [more than|over|at least] eight hours of sleep
- a night of more than eight hours
! {S} did not sleep for eight hours
!- no full eight hours of sleep
""",
    "sleep_hours/under_eight": """
{S} slept [for less than|under|for fewer than] eight hours
{S} spent less than eight hours asleep
- [less than|under|fewer than] eight hours of sleep
- a night of less than eight hours
! {S} slept no less than eight hours
!- no less than eight hours of sleep
""",
    "sleep_hours/under_seven": """
{S} slept [for less than|under|for fewer than] seven hours
{S} spent less than seven hours asleep
- [less than|under|fewer than] seven hours of sleep
- a night of less than seven hours
! {S} slept no less than seven hours
!- seven hours of sleep or more
""",
    "sleep_hours/under_six": """
{S} slept [for less than|under|for fewer than] six hours
{S} spent less than six hours asleep
- [less than|under|fewer than] six hours of sleep
- a night of less than six hours
! {S} slept no less than six hours
!- six hours of sleep or more
""",
    "bedtime/early": """
{S} went to [bed|sleep] early [|in the evening|tonight]
{S} [turned in|retired|fell asleep|called it a day] early
{P} bedtime was early
the evening ended early [in bed|with sleep]
{S} had an early night
- an early [bedtime|night]
- early to bed
- someone who goes to bed early
! {S} did not go to [bed|sleep] early
! {P} bedtime was not early
!- no early night
""",
    "bedtime/late": """
{S} went to [bed|sleep] late [|in the evening|at night]
{S} [turned in|fell asleep] late
{S} stayed up late
{P} bedtime was late
{S} had a late night
- a late [bedtime|night]
- late to bed
- a night owl's bedtime
! {S} did not go to [bed|sleep] late
! {S} did not stay up late
!- no late night
""",
    "bedtime/very_late": """
{S} went to [bed|sleep] very late
{S} stayed up [well past midnight|far into the night|until the small hours]
{P} bedtime was extremely late
- a very late bedtime
- a bedtime far past midnight
! {S} did not stay up [well past midnight|until the small hours]
!- no very late bedtime
""",
    "bedtime/before_midnight": """
{S} [went to bed|fell asleep|turned in] before midnight
{P} bedtime was before midnight
- a bedtime before midnight
- asleep before twelve
! {S} did not fall asleep before midnight
!- no sleep before midnight
""",
    "bedtime/after_midnight": """
{S} [went to bed|fell asleep|turned in] after midnight
{P} bedtime was after midnight
midnight had passed before {S} fell asleep
- a bedtime after midnight
- awake past twelve
! {S} did not stay up past midnight
!- no staying up past midnight
""",
    "wake_time/very_early": """
{S} [got up|woke up|rose] [very early|at the crack of dawn|before dawn|in the early hours]
- up at the crack of dawn
- a very early start
! {S} did not get up at the crack of dawn
!- no very early start
""",
    "wake_time/early": """
{S} [got up|woke up|rose] early
{S} had an early start
{P} wake-up time was early
the day began early
- an early [riser|bird|start]
- early to rise
- an early wake-up
! {S} did not get up early
! the day did not begin early
!- no early start
""",
    "wake_time/late": """
{S} [got up|woke up|rose] late
{S} [slept in|had a lie-in|stayed in bed late]
{P} wake-up time was late
the day began late
- a [late|slow] start to the day
- a late riser
- a lie-in
! {S} did not get up late
! {S} did not sleep in
!- no lie-in
""",
    "wake_time/very_late": """
{S} [got up|woke up] [very late|in the late morning or after]
{S} slept deep into the morning
- a very late start to the day
- in bed until late in the morning
! {S} did not sleep deep into the morning
!- no very late start
""",
    "sleep_breaks/interrupted": """
the [night|sleep] was [interrupted|broken|disturbed]
{S} [slept in pieces|got up during the night|had a broken night]
{S} slept in [several pieces|two or more episodes]
{S} did not sleep through
sleep came in [pieces|episodes]
- [interrupted|broken|fragmented|disturbed] sleep
- a night in pieces
- a broken night
! the sleep was not interrupted
!- no break in the sleep
""",
    "sleep_breaks/uninterrupted": """
{S} slept [through|without a break|in one go|without interruption]
the [night|sleep] was [uninterrupted|unbroken|in one piece]
{S} slept in a single episode
{S} did not get up during the night
- [uninterrupted|unbroken|continuous] sleep
- a night in one piece
- a single episode of sleep
! {S} did not sleep [through|in one go]
! the sleep was not in one piece
!- no unbroken night
""",
    "nap/any": """
{S} [took|had] a nap [|today|that day|during the day]
{S} napped [|today|that day|during the day]
{S} [slept a little|dozed off|had a snooze] during the day
there was a nap [|today|that day]
{S} lay down for a nap
the day included a nap
- a nap [|today|that day]
- a day with a nap
- daytime sleep
- a siesta
! {S} did not [nap|take a nap|sleep during the day]
! there was no nap
! {S} stayed awake all day
!- no nap
!- a day without a nap
""",
    "nap/short": """
{S} [took|had] a [short|brief|quick] nap
{S} napped [briefly|for half an hour or so]
there was a short nap
- a [short|brief|quick] nap
- a power nap
! there was no short nap
!- no power nap
""",
    "nap/long": """
{S} [took|had] a long nap
{S} napped for [about an hour|a long time|an hour or so]
there was a long nap
- a long nap
- an extended siesta
! there was no long nap
!- no long nap
""",
    "sleep_any/slept": """
{S} slept [|at night|at some point]
{S} {W} asleep [for some time|at some point|for a while]
sleep was [recorded|logged|detected]
part of the time was spent [sleeping|asleep]
{S} spent time asleep
- sleep
- [someone|a person] sleeping
- time spent asleep
- a period of sleep
! there was no sleep
! {S} did not sleep [at all|]
!- no sleep
""",
    "sleep_any/none": """
no sleep was [recorded|logged|detected]
there is no record of sleep
the data contain no sleep
no trace of sleep was found
- no sleep recorded
- a day without recorded sleep
- sleep: none
! sleep was recorded
! there is a record of sleep
!- recorded sleep
""",
}
"""Templates by `<kind>/<name>`, one per line."""
