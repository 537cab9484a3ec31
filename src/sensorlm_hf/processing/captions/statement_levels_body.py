"""Wordings of levels of movement, steps, skin and altitude.

See `statement_wordings` for the grammar. Grades without templates of their own share those of all levels.
"""

from __future__ import annotations

from .statement_wordings import LevelWords, level_words

_WIDE = {
    "very_high": "[{very} large|{very} wide|huge]",
    "high": "[large|wide|considerable|pronounced]",
    "low": "[small|narrow|limited|modest]",
    "very_low": "[{very} small|{very} narrow|tiny|negligible]",
}

BODY_WORDS: dict[str, LevelWords] = {
    "steps": level_words(
        "[step count|number of steps|daily step count|step total|total number of steps|daily steps total]",
        {"high": "[large|impressive]", "low": "[small|meagre]", "very_low": "[tiny|{very} small]",
         "very_high": "[huge|{very} large]"},
        very_high="""
{S} took [an enormous number of|a huge number of|far more than the usual] steps {on}
{S} [got about on foot|walked around] for a large part of the day
- [masses|an enormous number] of steps
- a day with an exceptional number of steps
! {S} did not take an enormous number of steps
""",
        high="""
{S} [took|made|walked|did] [many|a lot of|lots of|plenty of] steps {on}
{S} [walked|moved about on foot] a lot {on}
{S} [got|had] [plenty of|a lot of|many] steps in {on}
[many|a lot of|lots of|plenty of] steps were [counted|taken|recorded] {on}
{P} feet were [busy|well used] {on}
{S} [easily|comfortably] walked more than [most people|average]
the step counter [kept ticking|reached a high number]
- [many|lots of|plenty of] steps {on}
- a day with [many|a lot of] steps
- a day of much walking around
- a busy pair of feet
! {S} did not [take|walk|make] many steps {on}
! {S} did not walk much {on}
! not many steps were [counted|taken|recorded] {on}
!- not many steps {on}
!- a day without many steps
""",
        average="""
{S} took [an ordinary|a typical|an average|a normal] number of steps {on}
{S} walked about as much as [most people|usual]
- neither many nor few steps
! {S} did not take an ordinary number of steps
""",
        low="""
{S} [took|made|walked|did] [few|not many|only a few|rather few] steps {on}
{S} [walked|moved about on foot] [little|not much] {on}
[few|not many] steps were [counted|taken|recorded] {on}
{P} feet had [little to do|a quiet day]
the step counter [hardly moved|stayed low]
{S} walked less than [most people|average]
- few steps {on}
- a day with [few|not many] steps
- a day of little walking around
! {S} did not take few steps
!- a day with more than just a few steps
""",
        very_low="""
{S} [hardly|barely|scarcely] [walked|took any steps|set one foot before the other] {on}
hardly any steps were [counted|taken|recorded] {on}
- no steps to speak of {on}
- [hardly|barely] any steps {on}
- a day almost without steps
! {S} did take more than [hardly any|a handful of] steps
!- more than a handful of steps
""",
    ),
    "step_share": level_words(
        "[share of active minutes|amount of time on the move|time on foot|walking time|time spent moving about]",
        very_high="""
{S} [hardly ever sat down|never stopped moving|kept going all the time] {on}
- a day [without a rest|of constant motion]
""",
        high="""
{S} had [an active|a lively|a busy] day
{S} [spent|passed] much of the day on [the move|the go|foot]
{S} kept [active|moving|busy]
it was [an active|a lively] day [|on the whole|for the most part]
- an active [day|person|lifestyle]
- a day on the [move|go]
- much time on one's feet
! {S} did not have an active day
! it was not an active day
!- not an active day
""",
        average="""
{S} {W} [about as active as most people|neither active nor idle]
- an averagely active day
""",
        low="""
{S} had [a sedentary|an inactive|a quiet|a lazy] day
{S} [spent|passed] most of the day [sitting or lying|without walking about]
{S} [moved about very little|sat around a lot] {on}
it was a [sedentary|quiet|sluggish] day [|on the whole|for the most part]
- a [sedentary|sitting|quiet] day
- a couch potato's day
- an inactive [day|person|lifestyle]
! {S} did not have a sedentary day
! it was [not|anything but] a sedentary day
!- anything but a lazy day
""",
        very_low="""
{S} [hardly ever got up|did not leave the chair for long] {on}
- a day spent almost entirely [sitting or lying|off one's feet]
""",
    ),
    "cadence": level_words(
        "[cadence|step rate|walking pace|stepping rate|peak cadence|number of steps per minute at best]",
        {"high": "[fast|quick|brisk]", "very_high": "[{very} fast]", "low": "[slow|leisurely]",
         "very_low": "[{very} slow]"},
        high="""
{S} [walked or ran|moved along] at a [quick|brisk|fast] pace at [times|some point]
{P} steps came in quick succession at [times|some point]
- quick steps in a row
- a stretch of [brisk|quick|fast] steps
! {S} never walked at a brisk pace
!- no stretch of brisk steps
""",
        very_high="""
{P} feet moved at the rhythm of a [runner|run] for a while
- steps at a runner's rhythm
! the steps never reached a runner's rhythm
""",
        low="""
{S} never [walked|stepped] [fast|briskly|quickly]
{P} steps [never came in quick succession|were unhurried throughout]
- [unhurried|slow|leisurely] steps only
! {P} steps were not always slow
""",
    ),
    "longest_still": level_words(
        "[longest time without steps|longest sitting spell|longest motionless stretch|longest time without getting up]",
        {"high": "[long]", "very_high": "[{very} long]", "low": "[short]", "very_low": "[{very} short]"},
        high="""
{S} [sat|stayed put|remained seated] for [long|hours] without getting up
{S} sat [still|in one place] for a long time
- long hours of sitting
- a long spell without getting up
! {S} never sat for long without getting up
!- no long spell of sitting
""",
        low="""
{S} got up [again and again|often|frequently]
{S} never sat for long
- sitting broken up by frequent steps
! {S} did not get up often
""",
    ),
    "movement": level_words(
        "[movement|wrist movement|amount of movement|motion|movement of the arm|acceleration|wrist acceleration|"
        "physical activity|movement intensity]",
        {"high": "[vigorous|strong]", "very_high": "[{very} vigorous]", "low": "[weak|slight]",
         "very_low": "[{very} weak]"},
        high="""
{P} arms moved a lot {on}
the accelerometer [was busy|had a lot to record|saw a lot of motion]
- a lot of movement
- restless hands
! {P} arms did not move much
!- not a lot of movement
""",
        low="""
{P} arms [moved little|were mostly still|rested a lot] {on}
the accelerometer [had little to record|saw little motion]
- little movement
- quiet hands
! {P} arms were not still
!- more than a little movement
""",
        very_low="""
{S} [hardly|barely] moved {on}
- hardly any movement
""",
    ),
    "skin_temperature": level_words(
        "[skin temperature|temperature of the skin|wrist temperature|temperature at the wrist|skin warmth]",
        {"high": "[warm]", "low": "[cool]"},
        very_high="""
{P} skin was [hot|very warm]
- hot skin
""",
        high="""
{P} [skin|wrist] was [warm|warmer than usual|rather warm] {on}
{P} wrist [felt|stayed] warm
- warm skin
- a warm wrist
! {P} skin was not warm
!- skin that was not warm
""",
        low="""
{P} [skin|wrist] was [cool|cold|cooler than usual|rather cool] {on}
{P} wrist [felt|stayed] cool
- [cool|cold] skin
- a cool wrist
! {P} skin was not [cool|cold]
!- skin that was not cold
""",
        very_low="""
{P} skin was [very cold|chilly]
- chilly skin
""",
    ),
    "skin_temperature_range": level_words(
        "[range of the skin temperature|spread of wrist temperatures|difference between warmest and coldest skin|"
        "variation of the skin temperature|swing of the skin temperature]",
        _WIDE,
        high="""
{P} skin temperature [varied|changed|swung] a lot {on}
{P} skin was sometimes warm and sometimes cold
- large swings of the skin temperature
! {P} skin temperature did not vary much
""",
        low="""
{P} skin temperature [hardly varied|stayed even|was stable] {on}
- a [stable|steady|even] skin temperature
! {P} skin temperature was not stable
""",
    ),
    "skin_conductance": level_words(
        "[skin conductance|electrodermal activity|EDA|skin conductance level|electrical conductance of the skin|"
        "galvanic skin response]",
        high="""
{P} skin conducted electricity [well|easily]
{P} skin was [sweaty|moist|damp] {on}
- [sweaty|moist|damp] skin
- an aroused nervous system, judging by the skin conductance
! {P} skin was not [sweaty|moist|damp]
!- skin that was not sweaty
""",
        low="""
{P} skin conducted electricity [poorly|badly]
{P} skin was [dry|hardly sweaty] {on}
- dry skin
- skin that hardly conducted
! {P} skin was not dry
!- skin that was not dry
""",
    ),
    "skin_conductance_range": level_words(
        "[range of the skin conductance|spread of electrodermal activity|variation of the skin conductance|"
        "swing of the skin conductance|variability of the EDA]",
        _WIDE,
        high="""
{P} skin conductance [varied|changed|went up and down] a lot
- large swings of the skin conductance
! {P} skin conductance did not vary much
""",
        low="""
{P} skin conductance [hardly changed|stayed flat|was stable]
- a [stable|flat] skin conductance
! {P} skin conductance was not flat
""",
    ),
    "altitude": level_words(
        "[altitude variation|change of altitude|amount of climbing|variation of height|ascent and descent]",
        {"high": "[large|considerable]", "very_high": "[huge]", "low": "[small]", "very_low": "[tiny]"},
        high="""
{S} went up and down a lot {on}
{S} [changed altitude|covered many metres of height] [often|again and again]
the altimeter [was busy|had a lot to record]
- many [stairs or slopes|ups and downs]
- hilly terrain or many floors
! {S} did not go up and down much
!- not many stairs or slopes
""",
        low="""
{S} stayed at [one|the same] altitude
{S} hardly [climbed anything|went up or down]
the altimeter had little to record
- [flat|level] ground only
- hardly any stairs or slopes
! {S} did not stay at one altitude
""",
    ),
    "sleep_movement": level_words(
        "[movement during sleep|motion in bed|amount of tossing and turning|movement while asleep|"
        "restlessness of the sleep]",
        high="""
{S} slept restlessly
{S} tossed and turned [in bed|all night|a lot]
{S} had a restless [night|sleep]
the sleep was [restless|fitful|unquiet]
- [restless|fitful] sleep
- a restless night
- tossing and turning in bed
! {S} did not toss and turn
! the sleep was not restless
!- a night without tossing and turning
""",
        low="""
{S} slept [quietly|calmly|peacefully|like a log]
{S} [lay still|hardly moved] while asleep
{S} had a [quiet|calm|peaceful] [night|sleep]
the sleep was [calm|quiet|peaceful]
- [calm|quiet|peaceful] sleep
- a night of lying still
! {S} did not sleep [quietly|calmly|peacefully]
! the sleep was not calm
!- anything but peaceful sleep
""",
    ),
    "steps_part": level_words("[step count|number of steps|step total]",
        {"high": "[large]", "low": "[small]", "very_low": "[tiny]", "very_high": "[huge]"},
        very_high="""
{S} took a huge number of steps {in}
- masses of steps {in}
""",
        high="""
{S} [took|made|walked] [many|a lot of|lots of|plenty of] steps {in}
{in}, {S} [walked a lot|took many steps|got plenty of steps in]
[many|a lot of] steps were [counted|taken|recorded] {in}
{S} [walked about a lot|kept walking] {in}
- [many|lots of|plenty of] steps {in}
- a(n) {part} with many steps
! {S} did not take many steps {in}
!- not many steps {in}
""",
        low="""
{S} [took|made|walked] [few|not many|only a few] steps {in}
{in}, {S} [hardly walked|took few steps|walked little]
few steps were [counted|taken|recorded] {in}
- few steps {in}
- a(n) {part} with few steps
! {S} took more than a few steps {in}
!- more than a few steps {in}
""",
        very_low="""
{S} [hardly|barely] took a step {in}
- [hardly|barely] any steps {in}
"""),
    "movement_part": level_words("[movement|wrist movement|amount of movement|physical activity|motion]", {}, high="""
{in}, {S} moved a lot
{S} had an active {part}
- an active {part}
- a lot of movement {in}
! {S} did not have an active {part}
!- not an active {part}
""", low="""
{in}, {S} [moved little|kept still]
{S} had a quiet {part}
{the_part} was quiet
- a quiet {part}
- little movement {in}
! {S} did not have a quiet {part}
!- not a quiet {part}
"""),
}  # fmt: skip
"""Wordings by kind of level."""
