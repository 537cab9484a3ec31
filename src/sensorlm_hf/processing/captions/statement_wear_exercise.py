"""Wordings of claims about wear, gaps, exercise and the mood of a day.

See `statement_wordings` for the grammar.
"""

from __future__ import annotations

from collections.abc import Mapping

WEAR_AND_EXERCISE: Mapping[str, str] = {
    "wear/always": """
{S} wore the {dev} [all day|around the clock|day and night|all the time|from start to finish]
the {dev} was [worn|on the wrist] [all day|around the clock|day and night|without interruption]
the {dev} recorded [all day|around the clock|almost without interruption]
{S} [hardly ever|never really] took the {dev} off
[practically|almost] nothing of the day is missing
data [cover|are available for] [practically|almost] the whole day
the recording is [practically|almost] complete
- [complete|gapless] [data|coverage|wear]
- a day with [full|complete] coverage
- [practically|almost] no missing data
- a {dev} worn day and night
! {S} did not wear the {dev} all day
! the recording is [far from complete|not complete]
! part of the day is missing
!- incomplete data
!- a day with missing data
""",
    "wear/mostly": """
{S} wore the {dev} [most of the day|for most of the time|nearly all the time]
the {dev} was [worn|on] for most of the day
most of the day was [recorded|covered|captured]
the [greater|larger] part of the day is [covered|on record]
data are available for most of the day
- [good|solid|decent] coverage of the day
- a {dev} worn most of the time
- data for most of the day
- mostly complete data
! the {dev} was not worn for most of the day
! much of the day is not covered
!- poor coverage of the day
""",
    "wear/half": """
{S} wore the {dev} for only part of the day
the {dev} was [off|not worn] for a large part of the day
[much|a large part|a big piece] of the day [is missing|was not recorded|is not covered]
the {dev} spent many hours off the wrist
there are no data for a large part of the day
- [patchy|incomplete|poor] coverage
- a day with much missing data
- a {dev} that was often off the wrist
- many hours without data
- only part of a day
! the {dev} was not off for a large part of the day
! there are data for [much|most] of the day
!- a day without much missing data
""",
    "gap/none": """
the {dev} was never [taken off|off the wrist|out of contact]
there was no [gap|break|interruption] in the [data|recording|signals]
the [data|recording|signals] ran [without a break|without interruption|uninterrupted]
{S} never took the {dev} off
the {dev} was not even [charged|put down]
- no gaps
- no [gap|break|interruption] in the [data|recording|signals]
- an uninterrupted recording
- data without [a gap|holes|breaks]
- a {dev} that was never taken off
- a seamless record
! there was a [gap|break|hole] in the [data|recording]
! the recording was interrupted
! {S} did take the {dev} off
!- a recording with [a gap|a hole|an interruption]
!- interrupted data
""",
    "gap/short": """
! there was no short [gap|break|interruption] in the [data|recording]
!- no short [gap|break]
the {dev} was [off|taken off|not worn] [briefly|for a short time|for a little while|for some minutes]
there was [only a short|a brief|just a small] [gap|break|interruption] in the [data|recording]
{S} took the {dev} off [briefly|for a short time|for less than an hour]
the {dev} was put aside [briefly|for a moment], perhaps for charging
the longest [gap|break] lasted less than an hour
- a [short|brief|small] [gap|break|interruption] in the [data|recording]
- a few minutes without data
- a brief break from the {dev}
- a {dev} taken off for a little while
! the longest [gap|break] was not a short one
""",
    "gap/over_hour": """
the {dev} was [off|not worn|put aside] for [more than an hour|over an hour|at least an hour]
there was a gap of more than an hour [|in the data|in the recording]
{S} took the {dev} off for [more than an hour|over an hour]
for [over|more than] an hour, [nothing was recorded|there are no data|the {dev} saw nothing]
more than an hour [is missing|was not recorded]
- [a gap|a break|missing data] of more than an hour
- more than an hour without [data|signals]
- over an hour off the wrist
! the {dev} was never off for more than an hour
! no gap lasted longer than an hour
! {S} never took the {dev} off for an hour or more
!- no gap of more than an hour
!- only gaps of less than an hour, if any
""",
    "gap/hours": """
the {dev} was [off|not worn|off the wrist|put aside] for [hours|several hours|hours on end|a couple of hours]
for [hours|several hours], [there was no signal|nothing was recorded|there are no data]
{S} [took the {dev} off|went without the {dev}] for [hours|several hours|a long time]
[several|a few] hours of data are missing
there was a [long|large|big] [gap|hole|break] in the [data|recording|signals]
the {dev} lay around unused for hours
- hours without [data|signals|a signal]
- a [long|large|big] [gap|hole] in the [data|recording]
- a {dev} left off for hours
- several hours missing
! the {dev} was [not|never] off for hours
! there was no [long|large|big] [gap|hole|break] in the [data|recording]
! {S} did not go without the {dev} for hours
!- no hours without data
!- no long gap
""",
    "gap/several": """
there were [several|multiple|a number of] [gaps|breaks|interruptions] in the [data|recording|signals]
the {dev} was taken off [several times|repeatedly|again and again]
the [recording|signal] [broke off|stopped] [several times|repeatedly]
{S} took the {dev} off [several times|more than twice]
- [several|multiple|three or more] [gaps|breaks|interruptions]
- a recording with holes in several places
- [patchy|fragmented] data
! there were not several gaps
! the {dev} was not taken off repeatedly
!- hardly any gaps, if at all
""",
    "gap_part/off": """
the {dev} was [off|not worn|off the wrist] [for some time|for a while|] {in}
{in}, the {dev} was [off|taken off|not worn] [for a while|for some time]
{S} took the {dev} off {in}
part of {the_part} [is missing|was not recorded]
data are missing {in}
there was a [gap|break|hole] {in}
{in}, there was a [gap|break] in the [data|recording]
- missing data {in}
- a [gap|break|hole] in the [data|recording] {in}
- a {dev} taken off {in}
! the {dev} was worn throughout {the_part}
! there was no gap {in}
! {S} did not take the {dev} off {in}
!- no missing data {in}
!- complete data {in}
""",
    "night_wear/worn": """
{S} wore the {dev} [at night|during the night|overnight|in bed|to bed]
the {dev} [stayed on|was worn|was on the wrist] [at night|during the night|overnight|in bed]
the night was [recorded|covered|captured]
data are available for the night
the {dev} recorded through the night
- a {dev} worn [at night|overnight|in bed]
- data from the night
- a recorded night
! the {dev} did not stay on at night
! {S} did not wear the {dev} [at night|in bed]
!- a bed without a {dev}
""",
    "night_wear/off": """
{S} [took the {dev} off|did not wear the {dev}] [at night|for the night|overnight|in bed]
the {dev} was [off|not worn|on the charger] [at night|during the night|overnight]
the night [is missing|was not recorded|is not covered]
the {dev} lay on the bedside table
there are no data [for|from] the night
- a night without [data|the {dev}|signals]
- a {dev} that was off [overnight|at night]
- no data from the night
- an unrecorded night
! the {dev} was not off at night
! the night is not missing
!- a night with data
""",
    "exercise/any": """
{S} [exercised|worked out|trained|did sport|did some exercise|got some exercise] {on}
{S} [did|had] a workout {on}
there was [some exercise|a workout] {on}
the day included [exercise|a workout|sport]
{S} found time for [exercise|sport|a workout]
{S} did something for fitness
- [exercise|a workout|sport|training] {on}
- a day with [exercise|a workout|sport]
- someone exercising
- physical training
! {S} did not [exercise|work out|train|do any sport] {on}
! {S} skipped exercise {on}
! there was no [exercise|workout|sport] {on}
!- no [exercise|workout|sport] {on}
!- a day without [exercise|sport|training]
""",
    "exercise/none": """
{S} did no [exercise|sport|training] [at all|whatsoever|]
{S} did not [exercise|work out|train|do any sport] [at all|even once|for a single minute]
there was no [exercise|sport|workout] at all
not a single workout was [logged|recorded|done]
it was a rest day
{S} took a [rest day|day off from training|break from exercise]
- no [exercise|sport|workout] at all
- [a rest day|a day off from training]
- a day without any [exercise|sport|training]
- not a single workout
! it was not a rest day
! {S} did not take a day off from training
!- no rest day
!- anything but a rest day
""",
    "exercise_count/one": """
{device} [recorded|logged] [one|a single] [workout|training session|exercise session] {on}
the log lists [one|a single] [workout|training session|bout of exercise]
{S} left it at one [workout|training session] {on}
- a single bout of exercise {on}
! the log does not list exactly one workout
{S} [exercised|worked out|trained] [once|a single time]
there was [one|a single|exactly one] [workout|exercise session]
{S} did one [workout|exercise session|training session]
- [one|a single|just one] [workout|exercise session|training session]
- a day with a single workout
! there was not exactly one workout
!- any number of workouts but one
""",
    "exercise_count/several": """
{device} [recorded|logged] [several|multiple|two or more] [workouts|training sessions|bouts of exercise] {on}
the log lists [several|multiple|two or more] [workouts|training sessions|bouts of exercise]
{S} did not leave it at one workout {on}
- [repeated|multiple] bouts of exercise {on}
- a second workout after the first
! the log does not list [several|multiple] workouts
! {S} left it at one workout or none {on}
{S} [exercised|worked out|trained] [more than once|at least twice|several times|twice or more]
there were [several|two or more|multiple] [workouts|exercise sessions]
{S} did [several|two or more|multiple] [workouts|training sessions]
one workout was not enough for this day
- [several|multiple|two or more] [workouts|exercise sessions|training sessions]
- a day with [several workouts|more than one workout]
- a sporty day with more than one session
! {S} did not work out more than once
! there were not several workouts
!- no second workout
!- at most one workout
""",
    "exercise_count/many": """
{device} [recorded|logged] [three or more|at least three] [workouts|training sessions|bouts of exercise] {on}
the log lists [three or more|at least three] [workouts|training sessions]
- [three or more|at least three] bouts of exercise {on}
! the log does not list three workouts
{S} [exercised|worked out] [three times or more|at least three times]
there were three or more [workouts|exercise sessions]
- [three or more|at least three] workouts
- a day packed with workouts
! there were fewer than three workouts
!- fewer than three workouts
""",
    "exercise_total/short": """
{S} [got in|squeezed in|managed] [a little|a short time of|a bit of] [exercise|training] {on}
{P} [exercise|training|workout] [did not last long|was soon over|was short] {on}
{device} [recorded|logged] only a little [exercise|training] {on}
- a [brief|short|quick] [dose of exercise|training session] {on}
- little exercise, but some
! {P} exercise was not short {on}
!- not just a little exercise
{S} exercised [briefly|for a short time|for about half an hour or less]
{S} got only a little exercise
there was [only a little|just a bit of] exercise
- a [little|bit of|small dose of] exercise
- half an hour of exercise at most
- a brief time spent exercising
! {S} did not just exercise briefly
""",
    "exercise_total/over_hour": """
{P} [exercise|training] lasted [more than|over] an hour [altogether|in total|all told|in sum]
{S} [got|put] in [more than|over] an hour of [exercise|training|sport] {on}
{device} [recorded|logged] [more than|over] an hour of [exercise|training] {on}
the log lists [more than|over] an hour of [exercise|training|sport]
! {P} exercise did not last an hour {on}
! {S} did not put in an hour of exercise {on}
{S} exercised for [more than|over] an hour [|altogether|in total|all told]
exercise took up more than an hour [|of the day]
{S} spent [more than|over] an hour exercising
- [more than|over] an hour of [exercise|training|sport]
- exercise totalling more than an hour
! {S} did not exercise for an hour
! exercise took up less than an hour, if any
!- less than an hour of exercise, if any
""",
    "exercise_total/couple_hours": """
{P} [exercise|training] lasted [about two hours|a couple of hours] [altogether|in total|all told]
{S} [got|put] in [about two hours|a couple of hours] of [exercise|training|sport] {on}
{device} [recorded|logged] [about two hours|a couple of hours] of [exercise|training] {on}
! {P} exercise did not last a couple of hours {on}
{S} exercised for [about two hours|a couple of hours|roughly two hours]
{S} spent [about two hours|a couple of hours] exercising
- [a couple of hours|about two hours|roughly two hours] of [exercise|training|sport]
! {S} did not exercise for a couple of hours
!- not two hours of exercise
""",
    "exercise_total/hours": """
{P} [exercise|training] lasted for hours [altogether|in total|all told]
{S} [got|put] in hours of [exercise|training|sport] {on}
{device} [recorded|logged] hours of [exercise|training] {on}
! {P} exercise did not last for hours {on}
{S} exercised for [hours|hours on end|several hours|almost three hours or more]
{S} spent [hours|a large part of the day] exercising
exercise filled [hours|a large part of the day]
- hours of [exercise|sport|training]
- a day dominated by exercise
! {S} did not exercise for hours
!- no hours of exercise
""",
    "exercise_time/early": """
{S} [had|did|got in|completed] [a workout|exercise|training] [early on|in the early part of the day]
{S} [trained|worked out|exercised] [first thing|soon after getting up|before most people]
{device} [recorded|logged|picked up] an early [workout|training session|exercise session] {on}
the first [workout|exercise|training session] [took place|began|started] early {on}
the day began with [exercise|a workout|training|sport]
{P} first workout was [an early one|over early]
- [training|a workout|a session] early in the day
- a day that began with [exercise|sport|training]
- someone who trains early
! {S} did not [exercise|work out|train] early in the day
! the day did not begin with exercise
!- no [exercise|training|sport] early in the day
{S} [exercised|worked out|trained] early in the day
{S} started the day with [exercise|a workout|sport]
the first workout came early
{S} got some exercise done early
- an early workout
- early exercise
- [exercise|sport] soon after getting up
! the first workout did not come early
!- no early workout
""",
    "exercise_time/late": """
{S} [had|did|got in|completed] [a workout|exercise|training] [late on|in the late part of the day]
{device} [recorded|logged|picked up] a late [workout|training session|exercise session] {on}
the last [workout|exercise|training session] [took place|began|started] late {on}
the day [ended|finished|closed] with [exercise|a workout|training|sport]
{P} last workout was a late one
- [training|a workout|a session] late in the day
- a day that [ended|finished] with [exercise|sport|training]
- someone who trains late
! {S} did not [exercise|work out|train] late in the day
! the day did not end with exercise
!- no [exercise|training|sport] late in the day
{S} [exercised|worked out|trained] late in the day
{S} ended the day with [exercise|a workout|sport]
the last workout came late
{S} exercised [after work|towards evening]
- a late workout
- late exercise
- [exercise|sport] towards the evening
! the last workout did not come late
!- no late workout
""",
    "exercise_part/any": """
{S} [exercised|worked out|trained|did sport] {in}
{in}, {S} [exercised|worked out|trained|did some exercise]
{S} [did|had] a workout {in}
there was [some exercise|a workout] {in}
{the_part} [included|brought|featured] [a workout|exercise]
{S} used {the_part} for [exercise|sport|a workout]
exercise took place {in}
- [exercise|a workout|sport] {in}
- a(n) {part} [workout|training session]
- {part} exercise
! {S} did not [exercise|work out|train] {in}
! there was no [exercise|workout] {in}
! {the_part} passed without exercise
!- no [exercise|workout|sport] {in}
!- no {part} workout
""",
    "mood/good": """
{S} [felt|was feeling] [good|fine|well|in good spirits]
{P} mood was [good|positive|pleasant|bright]
{S} {W} in a [good|positive|pleasant] mood
it was a good day for {P} mood
- a [good|positive|pleasant|bright] mood
- [pleasant|positive] feelings
- a person in good spirits
! {S} did not feel good
! {P} mood was not good
!- no good mood
""",
    "mood/bad": """
{S} felt [bad|unwell|low|not so good|under the weather]
{P} mood was [bad|low|negative|gloomy]
{S} {W} in a [bad|low|negative] mood
the mood left much to be desired
- a [bad|low|negative|gloomy] mood
- [unpleasant|negative] feelings
- a person in low spirits
! {S} did not feel bad
! {P} mood was not bad
!- no bad mood
""",
}
"""Templates by `<kind>/<name>`, one per line."""
