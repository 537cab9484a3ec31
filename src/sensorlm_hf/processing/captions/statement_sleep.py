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
{P} [sleep|night] was [short|brief|too short] {nt}
{S} got up after a short night {mo}
{device} [logged|recorded] [little|not much] sleep {nt}
! {P} [sleep|night] was not short {nt}
! {device} did not log a short night {nt}
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
{P} [sleep|night] was [of ordinary length|as long as usual|average in length] {nt}
{device} [logged|recorded] a [normal|usual|typical] amount of sleep {nt}
! {P} sleep was not of ordinary length {nt}
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
{P} [sleep|night] was long {nt}
{device} [logged|recorded] [a lot of|plenty of] sleep {nt}
{S} got up after a long night {mo}
! {P} [sleep|night] was not long {nt}
! {device} did not log a long night {nt}
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
{P} sleep lasted [more than|over] nine hours {nt}
{device} [logged|recorded] more than nine hours of sleep {nt}
- sleep: more than nine hours
! {P} sleep did not last nine hours {nt}
{S} slept for more than nine hours
{S} spent over nine hours asleep
- more than nine hours of sleep
- [over|in excess of] nine hours in bed
! {S} did not sleep for nine hours
!- less than nine hours of sleep
""",
    "sleep_hours/over_eight": """
{P} sleep lasted [more than|over|at least] eight hours {nt}
{device} [logged|recorded] more than eight hours of sleep {nt}
{S} got [a full|a good|more than] eight hours of sleep {nt}
- sleep: more than eight hours
- a sleeper who got eight hours or more
! {P} sleep did not last eight hours {nt}
! {S} did not get eight hours of sleep {nt}
{S} slept [for more than|over|for at least] eight hours
{S} spent over eight hours [asleep|in bed]
- [more than|over|at least] eight hours of sleep
- a night of more than eight hours
! {S} did not sleep for eight hours
!- no full eight hours of sleep
""",
    "sleep_hours/under_eight": """
{P} sleep lasted [less than|under] eight hours {nt}
{device} [logged|recorded] less than eight hours of sleep {nt}
{S} fell short of eight hours of sleep {nt}
- sleep: less than eight hours
! {P} sleep lasted no less than eight hours {nt}
{S} slept [for less than|under|for fewer than] eight hours
{S} spent less than eight hours asleep
- [less than|under|fewer than] eight hours of sleep
- a night of less than eight hours
! {S} slept no less than eight hours
!- no less than eight hours of sleep
""",
    "sleep_hours/under_seven": """
{P} sleep lasted [less than|under] seven hours {nt}
{device} [logged|recorded] less than seven hours of sleep {nt}
{S} fell short of seven hours of sleep {nt}
{S} missed the recommended seven hours of sleep {nt}
- sleep: less than seven hours
! {P} sleep lasted no less than seven hours {nt}
! {S} got at least seven hours of sleep {nt}
{S} slept [for less than|under|for fewer than] seven hours
{S} spent less than seven hours asleep
- [less than|under|fewer than] seven hours of sleep
- a night of less than seven hours
! {S} slept no less than seven hours
!- seven hours of sleep or more
""",
    "sleep_hours/under_six": """
{P} sleep lasted [less than|under] six hours {nt}
{device} [logged|recorded] less than six hours of sleep {nt}
{S} fell short of six hours of sleep {nt}
{S} did not even get six hours of sleep {nt}
- sleep: less than six hours
! {P} sleep lasted no less than six hours {nt}
! {S} got at least six hours of sleep {nt}
{S} slept [for less than|under|for fewer than] six hours
{S} spent less than six hours asleep
- [less than|under|fewer than] six hours of sleep
- a night of less than six hours
! {S} slept no less than six hours
!- six hours of sleep or more
""",
    "sleep_breaks/interrupted": """
{P} sleep was [broken up|cut in two|split|interrupted at least once] {nt}
{S} [woke up and got up|left the bed] in the middle of the sleep {nt}
{S} slept, got up and slept again {nt}
there was a [break|pause|gap] in {P} sleep {nt}
{device} [logged|recorded] [more than one episode|several episodes|two or more pieces] of sleep {nt}
- sleep in [two or more|several] [pieces|episodes|parts]
- a night with [a break|an interruption]
- sleep with a [break|pause] in it
! there was no [break|pause] in {P} sleep {nt}
! {P} sleep was not [broken up|split] {nt}
!- a night without an interruption
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
{P} sleep [was one long piece|had no break|was never broken off|ran straight through] {nt}
{S} stayed in bed until the end of the sleep {nt}
{device} [logged|recorded] [a single episode|one piece|one block] of sleep {nt}
nothing broke {P} sleep {nt}
from start to end, {S} slept without getting up {nt}
- sleep in one [piece|block|go]
- one [long|single] block of sleep
- a night slept through
! something broke {P} sleep {nt}
! {P} sleep did not run straight through {nt}
!- sleep that was not in one block
{S} slept [through|without a break|in one go|without interruption]
the [night|sleep] was [uninterrupted|unbroken|in one piece]
{S} slept in a single episode
{S} did not get up during the night
- [uninterrupted|unbroken|continuous] sleep
- a night in one piece
- a single episode of sleep
! {S} did not sleep in one go
! the sleep was not in one piece
!- no unbroken night
""",
    "nap/any": """
{S} [got|managed|squeezed in|enjoyed] a [nap|snooze|siesta|doze] {on}
{device} [recorded|logged|picked up] a nap {on}
the log lists a nap {on}
{S} [caught up on|got some|found time for some] sleep in the daytime {on}
{P} day was [broken up|interrupted] by a nap
- a [snooze|doze|little sleep] [in the daytime|during the day]
- someone [napping|having a snooze|taking a nap]
- some sleep outside the night
! {S} got through the day without a nap
! {device} [recorded|logged] no nap {on}
! the log lists no nap
!- no [snooze|siesta|daytime sleep] {on}
!- someone who does without a nap
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
{S} [squeezed in|managed] a [brief|short|quick] [nap|snooze|doze] {on}
{device} [recorded|logged] a [brief|short] nap {on}
- a [brief|short|quick] [snooze|doze|sleep] during the day
! {device} [recorded|logged] no short nap {on}
{S} [took|had] a [short|brief|quick] nap
{S} napped [briefly|for half an hour or so]
there was a short nap
- a [short|brief|quick] nap
- a power nap
! there was no short nap
!- no power nap
""",
    "nap/long": """
{S} [enjoyed|indulged in] a [long|lengthy] [nap|snooze|siesta] {on}
{device} [recorded|logged] a [long|lengthy] nap {on}
- a [lengthy|long] [snooze|doze|sleep] during the day
! {device} [recorded|logged] no long nap {on}
{S} [took|had] a long nap
{S} napped for [about an hour|a long time|an hour or so]
there was a long nap
- a long nap
- an extended siesta
! there was no long nap
!- no long nap
""",
    "sleep_any/slept": """
{device} [recorded|detected|logged] [sleep|a period of sleep|time asleep]
the [signals|data|readings] [include|contain] [sleep|a period of sleep|time asleep]
{S} [got|had] some [sleep|shut-eye]
[some|a good part] of the [recording|record] [is|shows] sleep
at some point, {S} {W} [asleep|sleeping]
the log lists [sleep|a period of sleep]
{S} fell asleep [at some point|]
- [some sleep|some shut-eye|hours of sleep]
- a sleeping [person|wearer|body]
- [signals|data|readings] of [sleep|someone asleep]
- a [recording|record] with sleep
! {device} did not [record|detect] any sleep
! {S} got no [sleep|shut-eye] [at all|]
! the [signals|data] contain nobody asleep
!- [signals|data] without any sleep
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
{device} [recorded|detected|logged] no sleep
the [signals|data|readings|log] [include|contain|show] no sleep
nothing in the [log|recording|data] looks like sleep
sleep is [missing|absent] from the [record|log|data]
the night's sleep was not [captured|recorded|logged]
- [a log|a recording|data] without sleep
- missing sleep
- nothing about sleep
- sleep not [captured|recorded]
! the log does contain sleep
! {device} did [record|detect|log] sleep
!- a log with sleep in it
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
