"""Everyday wordings of groups of everyday activities, such as "screen time", like those of groups of exercises."""

from __future__ import annotations

from ...activities import ACTIVITIES
from .activity_phrases_base import NAP, ActivityGroup, ActivityPhrases

_SEDENTARY_MET = 1.5
"""Upper limit of sedentary time, in METs."""

EVERYDAY_GROUPS: tuple[ActivityGroup, ...] = (
    ActivityGroup(
        "sedentary time",
        tuple(a.name for a in ACTIVITIES
              if a.category == "everyday" and a.met <= _SEDENTARY_MET and not a.locomotion),
        ActivityPhrases(
            gerunds=("sitting", "sitting down", "being sedentary", "sitting still", "doing something sedentary",
                "staying seated", "hardly moving while seated", "keeping to a chair"),
            past=("sat", "sat down", "remained sedentary", "sat still", "did something sedentary", "stayed seated",
                "hardly moved while seated", "kept to a chair"),
            nouns=("some sitting", "some sedentary time", "a spell of sitting", "a sedentary stretch",
                "some seated time", "some inactive time in a seat", "a bout of sitting still",
                "some sedentary behaviour"),
        ),
    ),
    ActivityGroup(
        "screen time",
        ("watching television", "using a phone or computer"),
        ActivityPhrases(
            gerunds=("looking at a screen for fun", "having screen time", "staring at a screen in free time",
                "unwinding with a screen", "consuming digital media", "being glued to a screen",
                "enjoying on-screen entertainment", "having a screen for company"),
            past=("looked at a screen for fun", "had some screen time", "stared at a screen in free time",
                "unwound with a screen", "consumed digital media", "sat glued to a screen",
                "enjoyed on-screen entertainment", "whiled time away at a screen"),
            nouns=("some screen time", "a spell in front of a screen", "some on-screen entertainment",
                "a stint at a screen for fun", "some digital media", "a screen break", "some leisure screen use",
                "some recreational screen time"),
        ),
    ),
    ActivityGroup(
        "quiet leisure",
        ("watching television", "reading", "using a phone or computer", "resting"),
        ActivityPhrases(
            gerunds=("relaxing at home", "having a quiet time in", "enjoying quiet leisure", "unwinding at home",
                "having some me time", "whiling away free time at home", "spending free time quietly",
                "pottering through a quiet spell indoors"),
            past=("relaxed at home", "had a quiet time in", "enjoyed quiet leisure", "unwound at home",
                "had some me time", "whiled away free time at home", "spent free time quietly",
                "stayed in and relaxed"),
            nouns=("some quiet leisure", "a quiet spell at home", "some free time indoors", "some me time",
                "a relaxed time at home", "a sedentary pastime", "some downtime at home", "a quiet stay indoors"),
        ),
    ),
    ActivityGroup(
        "working",
        ("office work", "manual work"),
        ActivityPhrases(
            gerunds=("working", "being at work", "doing the job", "earning a living", "working a shift",
                "being on the clock", "getting on with paid work", "carrying out job duties"),
            past=("worked", "went to work", "did the job", "earned a living", "worked a shift", "stayed on the clock",
                "got on with paid work", "carried out job duties"),
            nouns=("work", "a shift at work", "a stint at the job", "some paid work", "a working stretch", "a shift",
                "some occupational activity", "a spell on the clock"),
        ),
    ),
    ActivityGroup(
        "household chores",
        ("cooking", "housework", "gardening", "shopping"),
        ActivityPhrases(
            gerunds=("doing chores", "getting things done around the house", "running the household",
                "doing domestic tasks", "catching up on household jobs", "seeing to the home",
                "getting through the to-do list at home", "doing errands and domestic work"),
            past=("did chores", "got things done around the house", "ran the household", "did domestic tasks",
                "caught up on household jobs", "saw to the home", "got through the to-do list at home",
                "did errands and domestic work"),
            nouns=("some household chores", "a round of chores", "some domestic work", "a domestic task",
                "some jobs around the house", "a bit of household management", "a chore or two",
                "some unpaid work at home"),
        ),
    ),
    ActivityGroup(
        "light physical work",
        ("manual work", "housework", "gardening"),
        ActivityPhrases(
            gerunds=("doing physical work", "working with the hands", "bending, lifting and carrying",
                "doing hands-on work", "keeping busy on the feet", "grafting", "being up and about with things to do",
                "doing practical jobs"),
            past=("did physical work", "worked with the hands", "bent, lifted and carried", "did hands-on work",
                "kept busy on the feet", "grafted", "stayed up and about with things to do", "did practical jobs"),
            nouns=("some physical work", "some work with the hands", "some bending, lifting and carrying",
                "some hands-on work", "a busy spell on the feet", "a bit of graft", "some practical work",
                "some light labour"),
        ),
    ),
    ActivityGroup(
        "light activity",
        tuple(a.name for a in ACTIVITIES
              if a.category == "everyday" and a.met > _SEDENTARY_MET and not a.locomotion),
        ActivityPhrases(
            gerunds=("being lightly active", "doing some light activity", "doing light physical activity",
                "being up and about", "being on the go without exertion", "pottering about",
                "moving about a little", "doing light everyday tasks"),
            past=("remained lightly active", "did some light activity", "did light physical activity",
                "stayed up and about", "kept on the go without exertion", "pottered about", "moved about a little",
                "did light everyday tasks"),
            nouns=("some light activity", "some light physical activity", "some light movement",
                "a lightly active spell", "a bout of light-intensity activity", "some time up and about",
                "some pottering about",
                "some everyday activity without much effort"),
        ),
    ),
    ActivityGroup(
        "eating",
        ("meal",),
        ActivityPhrases(
            gerunds=("having food", "eating food", "taking in nourishment", "getting fed", "refuelling with food",
                "consuming a meal", "satisfying hunger", "eating and drinking"),
            past=("had food", "ate food", "took in nourishment", "got fed", "refuelled with food", "consumed a meal",
                "satisfied hunger", "ate and drank"),
            nouns=("some eating", "a food intake", "some nourishment", "a mealtime", "a helping of food",
                "something to eat", "some eating and drinking", "a feed"),
        ),
    ),
    ActivityGroup(
        "kitchen and table",
        ("cooking", "meal"),
        ActivityPhrases(
            gerunds=("being busy with food", "preparing or eating food", "dealing with food",
                "making or having a meal", "cooking or eating", "handling food and dishes", "being occupied with food",
                "enjoying good food at home or out"),
            past=("got busy with food", "prepared or ate food", "dealt with food", "made or had a meal",
                "cooked or ate", "handled food and dishes", "spent time on food", "enjoyed good food"),
            nouns=("something food-related", "some food on the stove or on the plate", "some cooking or eating",
                "a food-related task", "a meal being made or eaten", "some food handling", "a culinary interlude",
                "some business with food"),
        ),
    ),
    ActivityGroup(
        "travelling",
        tuple(a.name for a in ACTIVITIES if a.category == "everyday" and a.locomotion),
        ActivityPhrases(
            gerunds=("travelling", "commuting", "getting to work", "travelling to work and back",
                "being on the way to work", "making the journey to work", "getting from A to B", "being in transit"),
            past=("travelled", "commuted", "got to work", "travelled to work and back", "made the journey to work",
                "got from A to B", "did the commute", "made the trip to the workplace"),
            nouns=("some travelling", "a commute", "a journey to work", "a trip to work", "some travel",
                "a work journey", "some time in transit", "a trip from A to B"),
        ),
    ),
    ActivityGroup(
        "travelling in a vehicle",
        ("commuting by car", "commuting by public transport"),
        ActivityPhrases(
            gerunds=("travelling in a vehicle", "riding in a vehicle", "being driven along",
                "commuting by motor vehicle", "travelling on wheels with an engine", "sitting in a moving vehicle",
                "going by car, bus or train", "using motorised transport"),
            past=("travelled in a vehicle", "rode in a vehicle", "commuted by motor vehicle",
                "travelled on wheels with an engine", "sat in a moving vehicle", "went by car, bus or train",
                "used motorised transport", "got a ride in a vehicle"),
            nouns=("a vehicle journey", "a ride in a vehicle", "a motorised commute", "some motorised transport",
                "a trip by car, bus or train", "some time in a moving vehicle", "a journey by motor vehicle",
                "some passive travel"),
        ),
    ),
    ActivityGroup(
        "active commuting",
        ("walking to work", "cycling to work"),
        ActivityPhrases(
            gerunds=("commuting actively", "getting to work under muscle power", "doing an active commute",
                "exercising on the way to work", "travelling to work without a motor",
                "getting to the office without a car", "making the journey to work a workout",
                "choosing active travel"),
            past=("commuted actively", "got to work under muscle power", "did an active commute",
                "exercised on the way to work", "travelled to work without a motor", "got to the office without a car",
                "made the journey to work a workout", "chose active travel"),
            nouns=("an active commute", "some active travel", "a commute under muscle power", "a car-free commute",
                "some exercise on the way to work", "a non-motorised commute", "a self-propelled journey to work",
                "a trip to work without a motor"),
        ),
    ),
    ActivityGroup(
        "social time",
        ("socialising", "childcare"),
        ActivityPhrases(
            gerunds=("spending time with others", "being in company", "spending time with family or friends",
                "keeping others company", "being with loved ones", "interacting with people",
                "giving people attention", "enjoying company"),
            past=("spent time with others", "kept others company", "spent time with family or friends",
                "interacted with people", "gave people attention", "enjoyed company", "had time with loved ones",
                "took time for other people"),
            nouns=("some social time", "some time with others", "some time with family or friends", "some company",
                "some social contact", "some interaction with people", "some time with loved ones",
                "a sociable spell"),
        ),
    ),
    ActivityGroup(
        "rest of any kind",
        ("sleeping", NAP, "resting"),
        ActivityPhrases(
            gerunds=("getting some rest", "lying in bed or on the sofa", "recuperating", "recharging the batteries",
                "lying still", "being at rest", "recovering", "lying idle"),
            past=("got some rest", "lay in bed or on the sofa", "recuperated", "recharged the batteries", "lay still",
                "lay idle", "recovered", "kept off the feet"),
            nouns=("some rest", "a spell of lying still", "a rest period", "some recuperation",
                "a recharge of the batteries", "some time lying down", "some recovery time", "a restful spell"),
        ),
    ),
    ActivityGroup(
        "sleep of either kind",
        ("sleeping", NAP),
        ActivityPhrases(
            gerunds=("getting some sleep", "being asleep", "catching some z's", "sleeping for a while",
                "being dead to the world", "getting shut-eye", "having a sleep", "drifting off to sleep"),
            past=("got some sleep", "fell asleep", "caught some z's", "slept for a while", "got some shut-eye",
                "had a sleep", "drifted off to sleep", "dropped off"),
            nouns=("some sleep", "a sleep", "some shut-eye", "a spell of sleep", "some z's", "a period asleep",
                "a sleep episode", "some slumber"),
        ),
    ),
)  # fmt: skip
"""Groups with their wordings; an activity may be in several."""
