"""Wordings of claims about bedtimes and wake-up times.

See `statement_wordings` for the grammar.
"""

from __future__ import annotations

from collections.abc import Mapping

BEDTIMES: Mapping[str, str] = {
    "bedtime/early": """
{P} day ended early {nt}
{S} [got to bed|fell asleep|had the lights out] [in good time|ahead of most people] {nt}
{device} saw {P} sleep begin early {nt}
- [asleep|in bed|lights out] early {nt}
- an early end of the evening
! {P} day did not end early {nt}
!- someone who was not early to bed
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
{P} day ended late {nt}
{S} kept the lights on until late {nt}
{device} saw {P} sleep begin late {nt}
{S} [fell asleep|got to bed] later than most people {nt}
- [still awake|still up|lights on] late at night
- a late end of the evening
! {P} day did not end late {nt}
!- someone who did not stay up late
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
{P} day ended in the small hours {nt}
sleep came very late {nt}
- still awake in the small hours
! {P} day did not end very late {nt}
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
{S} {W} up [before the birds|at an ungodly hour|before most people] {mo}
{P} alarm must have rung very early {mo}
{P} day started [extremely|very] early {mo}
{device} saw {P} sleep end very early {mo}
- a wake-up time far ahead of most people's
- [awake|out of bed|up] very early {mo}
! {P} day did not start very early {mo}
{S} [got up|woke up|rose] [very early|at the crack of dawn|before dawn|in the early hours]
- up at the crack of dawn
- a very early start
! {S} did not get up at the crack of dawn
!- no very early start
""",
    "wake_time/early": """
{S} [left the bed|was done sleeping] early {mo}
{P} day started early {mo}
{P} morning [started|began] in good time {mo}
{device} saw {P} sleep end early {mo}
{S} {W} [up|out of bed|awake] early {mo}
- [awake|out of bed|up] early {mo}
- a person who gets up early
- an early end of the night
! {P} day did not start early {mo}
! {S} {W} not up early {mo}
!- someone who did not rise early
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
{S} [left the bed|stopped sleeping] late {mo}
{P} day started late {mo}
{P} morning [started|began] late {mo}
{device} saw {P} sleep end late {mo}
{S} {W} still [in bed|asleep] when most people were up {mo}
{S} took {P} time getting up {mo}
- [still in bed|asleep] when others were up
- a person who gets up late
- a late end of the night
! {P} day did not start late {mo}
!- someone who did not sleep in
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
{P} day started [extremely|very] late {mo}
half the morning was over before {S} got up {mo}
- [out of bed|up] very late {mo}
- half the morning spent in bed
! {P} day did not start very late {mo}
{S} [got up|woke up] [very late|in the late morning or after]
{S} slept deep into the morning
- a very late start to the day
- in bed until late in the morning
! {S} did not sleep deep into the morning
!- no very late start
""",
}
"""Templates by `<kind>/<name>`, one per line."""
