"""The activity ontology: energy cost, cadence, environment, category and aliases of each activity.

Energy costs are in METs (multiples of the resting energy expenditure), with their code in the Compendium of Physical
Activities: `2024:` is Herrmann et al., "2024 Adult Compendium of Physical Activities", J Sport Health
Sci 13 (2024); `2011:` is Ainsworth et al., Med Sci Sports Exerc 43 (2011). Cadences follow Tudor-Locke et al., "How
fast is fast enough? Walking cadence", Br J Sports Med 52 (2018), for walking and running; where no published
cadence exists, the number is our estimate, and only its rank among the activities is meaningful.

The 20 activities with `benchmark=True` are the classes of the zero-shot task; the others fill the rest of the day.
Wrist movement and frequencies for the simulator are in `data/simulate/behaviours.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

NO_ACTIVITY = "none"
"""Value of the `main_activity` label of a day without exercise."""


@dataclass(frozen=True)
class Activity:
    """An activity.

    Attributes:
        name: Name used in labels, events and prompts.
        met: Energy cost in METs.
        compendium: Edition and code of the Compendium entry, `"2024:12050"`.
        cadence: Typical range of the cadence while stepping, in steps per minute.
        step_share: Share of minutes with any steps.
        duration: Typical range of the duration, in minutes.
        environment: `"indoor"` or `"outdoor"`.
        category: `"cardio"`, `"strength"`, `"mind-body"`, `"sport"`, `"everyday"` or `"rest"`.
        locomotion: Whether the activity involves moving from place to place; otherwise it is stationary.
        gym_cardio: Whether it is one of the four classes of the gym-cardio task.
        outdoor_sport: Whether it is one of the four classes of the outdoor-sports task.
        benchmark: Whether it is one of the 20 exercise classes.
        altitude: Typical spread of altitude within a minute, in the normalised unit of the channel in the schema.
        water: Whether the device is under water, which disables the optical sensor.
        stop_and_go: Whether the effort is intermittent rather than steady.
        aliases: Other names used by trackers and diaries; case, `_` and `-` are ignored when matching.
    """

    name: str
    met: float
    compendium: str
    cadence: tuple[float, float]
    step_share: float
    duration: tuple[int, int]
    environment: str
    category: str
    locomotion: bool = False
    gym_cardio: bool = False
    outdoor_sport: bool = False
    benchmark: bool = False
    altitude: float = 0.0
    water: bool = False
    stop_and_go: bool = False
    aliases: tuple[str, ...] = field(default=())

    @property
    def edition(self) -> int:
        """Year of the Compendium edition."""
        return int(self.compendium.split(":")[0])

    @property
    def code(self) -> str:
        """Five-digit code in the Compendium."""
        return self.compendium.split(":")[1]


def _exercise(name: str, met: float, compendium: str, *rest: object, **more: object) -> Activity:
    return Activity(name, met, compendium, *rest, benchmark=True, **more)  # type: ignore[arg-type,misc]


_EXERCISES = (
    _exercise(
        "walking", 3.8, "2024:17190", (95, 125), 0.98, (25, 75), "outdoor", "cardio", locomotion=True, altitude=0.02,
        aliases=("walk", "walks", "outdoor walk", "power walking", "nordic walking", "walking fitness", "dog walk"),
    ),
    _exercise(
        "running", 9.3, "2024:12050", (150, 174), 0.98, (20, 75), "outdoor", "cardio", locomotion=True, altitude=0.025,
        aliases=("run", "runs", "jogging", "jog", "outdoor run", "trail running", "trail run", "road running"),
    ),
    _exercise(
        "treadmill running", 8.5, "2024:12030", (146, 170), 0.99, (20, 55), "indoor", "cardio", gym_cardio=True,
        aliases=("treadmill", "treadmill run", "running treadmill", "indoor running", "indoor run"),
    ),
    _exercise(
        "hiking", 5.3, "2024:17082", (80, 115), 0.90, (90, 300), "outdoor", "cardio", locomotion=True, altitude=0.14,
        stop_and_go=True,
        aliases=("hike", "hikes", "trekking", "mountain hiking", "hill walking"),
    ),
    _exercise(
        "outdoor cycling", 7.0, "2024:01014", (0, 8), 0.25, (30, 140), "outdoor", "cardio", locomotion=True,
        altitude=0.06, stop_and_go=True,
        aliases=("outdoor bike", "bike", "biking", "cycling", "bike ride", "road cycling", "mountain biking",
                 "road biking", "mountain bike", "bicycling", "cycle", "ride"),
    ),
    _exercise(
        "indoor cycling", 6.8, "2024:01200", (0, 6), 0.12, (25, 60), "indoor", "cardio", gym_cardio=True,
        stop_and_go=True,
        aliases=("spinning", "spin class", "indoor bike", "stationary bike", "exercise bike", "stationary cycling",
                 "biking stationary", "virtual ride", "indoor cycle", "stationary biking"),
    ),
    _exercise(
        "elliptical", 5.0, "2024:02048", (55, 125), 0.80, (20, 50), "indoor", "cardio", gym_cardio=True,
        aliases=("elliptical trainer", "cross trainer", "elliptical machine", "crosstrainer"),
    ),
    _exercise(
        "rowing machine", 7.3, "2024:02070", (0, 30), 0.45, (15, 45), "indoor", "cardio", gym_cardio=True,
        aliases=("rowing", "indoor rowing", "row", "ergometer rowing", "rower", "row machine"),
    ),
    _exercise(
        "stair climbing", 6.8, "2024:17131", (60, 105), 0.95, (15, 40), "indoor", "cardio", locomotion=True,
        altitude=0.22, stop_and_go=True,
        aliases=("stairs", "stair climber", "stairclimber", "stair stepper", "floor climbing", "step machine",
                 "stair climbing machine"),
    ),
    _exercise(
        "swimming", 5.8, "2024:18240", (0, 16), 0.40, (25, 70), "indoor", "cardio", locomotion=True, water=True,
        stop_and_go=True,
        aliases=("swim", "lap swimming", "pool swim", "pool swimming", "swimming pool", "swimming open water",
                 "open water swimming", "open water swim"),
    ),
    _exercise(
        "weight lifting", 3.5, "2024:02054", (0, 14), 0.30, (35, 85), "indoor", "strength", stop_and_go=True,
        aliases=("weights", "weightlifting", "strength training", "traditional strength training", "weight training",
                 "functional strength training", "resistance training", "strength", "powerlifting", "gym weights"),
    ),
    _exercise(
        "HIIT", 7.0, "2024:02210", (10, 75), 0.75, (15, 40), "indoor", "strength", stop_and_go=True,
        aliases=("interval workout", "high intensity interval training", "interval training", "circuit training",
                 "crossfit", "bootcamp", "boot camp", "tabata", "hiit workout"),
    ),
    _exercise(
        "yoga", 2.3, "2024:02175", (0, 6), 0.08, (25, 80), "indoor", "mind-body",
        aliases=("vinyasa", "hatha yoga", "hot yoga", "power yoga", "mind and body"),
    ),
    _exercise(
        "pilates", 2.8, "2024:02105", (0, 6), 0.08, (25, 60), "indoor", "strength",
        aliases=("reformer pilates", "mat pilates", "core training"),
    ),
    _exercise(
        "tennis", 7.3, "2011:15675", (25, 75), 0.85, (45, 120), "outdoor", "sport", locomotion=True, outdoor_sport=True,
        stop_and_go=True,
        aliases=("lawn tennis", "tennis match", "padel"),
    ),
    _exercise(
        "football", 7.0, "2011:15610", (65, 125), 0.92, (45, 105), "outdoor", "sport", locomotion=True,
        outdoor_sport=True, stop_and_go=True,
        aliases=("soccer", "football (soccer)", "association football", "five a side", "futsal"),
    ),
    _exercise(
        "basketball", 6.5, "2011:15055", (55, 115), 0.88, (35, 95), "indoor", "sport", locomotion=True,
        stop_and_go=True,
        aliases=("hoops", "basketball game"),
    ),
    _exercise(
        "golf", 4.8, "2011:15255", (45, 100), 0.58, (120, 260), "outdoor", "sport", locomotion=True, outdoor_sport=True,
        altitude=0.03, stop_and_go=True,
        aliases=("golfing", "disc golf", "round of golf"),
    ),
    _exercise(
        "dancing", 7.3, "2011:03015", (45, 110), 0.85, (35, 95), "indoor", "cardio", stop_and_go=True,
        aliases=("dance", "zumba", "aerobics", "aerobic workout", "dance fitness", "dance class", "cardio dance",
                 "social dance"),
    ),
    _exercise(
        "skiing", 5.3, "2011:19160", (0, 22), 0.30, (120, 320), "outdoor", "sport", locomotion=True, outdoor_sport=True,
        altitude=0.30, stop_and_go=True,
        aliases=("ski", "downhill skiing", "alpine skiing", "snowboarding", "snowboard", "resort skiing", "snow sports",
                 "resort skiing snowboarding"),
    ),
)  # fmt: skip

_EVERYDAY = (
    Activity("sleeping", 0.95, "2011:07030", (0, 0), 0.0, (240, 600), "indoor", "rest", aliases=("asleep",)),
    Activity(
        "resting", 1.0, "2011:07010", (2, 12), 0.01, (15, 60), "indoor", "rest",
        aliases=("lying down", "lying", "relaxing", "meditation", "meditating"),
    ),
    Activity(
        "watching television", 1.3, "2011:07020", (3, 16), 0.035, (30, 120), "indoor", "everyday",
        aliases=("tv", "watching tv", "television", "large screen"),
    ),
    Activity("reading", 1.3, "2011:09030", (3, 14), 0.03, (20, 80), "indoor", "everyday", aliases=("read", "studying")),
    Activity(
        "using a phone or computer", 1.3, "2011:09040", (3, 16), 0.05, (20, 90), "indoor", "everyday",
        aliases=("small screen", "computer use", "phone use", "gaming"),
    ),
    Activity(
        "office work", 1.5, "2011:11580", (4, 45), 0.10, (60, 300), "indoor", "everyday",
        aliases=("desk work", "work", "sitting", "office", "sitting work"),
    ),
    Activity(
        "manual work", 3.0, "2011:11600", (8, 70), 0.55, (60, 300), "indoor", "everyday", stop_and_go=True,
        aliases=("physical work", "labour", "standing work"),
    ),
    Activity(
        "meal", 1.5, "2011:13030", (4, 24), 0.12, (12, 55), "indoor", "everyday",
        aliases=("eating", "breakfast", "lunch", "dinner", "meals"),
    ),
    Activity(
        "cooking", 2.0, "2011:05050", (6, 38), 0.45, (15, 55), "indoor", "everyday", stop_and_go=True,
        aliases=("food preparation",),
    ),
    Activity(
        "housework", 3.3, "2011:05030", (8, 55), 0.60, (20, 80), "indoor", "everyday", stop_and_go=True,
        aliases=("cleaning", "house work", "chores", "household"),
    ),
    Activity(
        "gardening", 3.8, "2011:08245", (6, 45), 0.50, (25, 110), "outdoor", "everyday", stop_and_go=True,
        aliases=("garden work", "yard work", "yardwork"),
    ),
    Activity(
        "shopping", 2.3, "2011:05060", (12, 85), 0.75, (20, 70), "indoor", "everyday", altitude=0.01, stop_and_go=True,
        aliases=("groceries", "grocery shopping"),
    ),
    Activity(
        "childcare", 2.2, "2011:05170", (6, 50), 0.45, (20, 90), "indoor", "everyday", stop_and_go=True,
        aliases=("child care", "playing with children"),
    ),
    Activity(
        "socialising", 1.5, "2011:09055", (4, 30), 0.12, (40, 150), "indoor", "everyday",
        aliases=("socializing", "talking", "visiting friends"),
    ),
    Activity(
        "self-care", 2.0, "2011:13050", (5, 40), 0.45, (12, 35), "indoor", "everyday", stop_and_go=True,
        aliases=("showering", "dressing", "grooming", "shower"),
    ),
    Activity(
        "commuting by car", 2.5, "2011:16010", (3, 20), 0.06, (12, 60), "indoor", "everyday", locomotion=True,
        altitude=0.045,
        aliases=("driving", "car", "drive", "commute", "commuting", "in vehicle"),
    ),
    Activity(
        "commuting by public transport", 1.3, "2011:16016", (5, 95), 0.28, (20, 70), "indoor", "everyday",
        locomotion=True, altitude=0.03,
        aliases=("bus", "train", "public transport", "riding a bus", "subway", "metro", "tram"),
    ),
    Activity(
        "walking to work", 4.0, "2011:17270", (92, 122), 0.95, (10, 30), "outdoor", "everyday", locomotion=True,
        altitude=0.015,
        aliases=("walking commute", "walk to work"),
    ),
    Activity(
        "cycling to work", 6.8, "2024:01011", (0, 8), 0.25, (10, 35), "outdoor", "everyday", locomotion=True,
        altitude=0.03,
        aliases=("cycling commute", "bike commute", "bike to work"),
    ),
)  # fmt: skip

ACTIVITIES: tuple[Activity, ...] = (*_EXERCISES, *_EVERYDAY)
"""All activities: the 20 exercise classes first, then everyday activities."""

ACTIVITY_BY_NAME: dict[str, Activity] = {activity.name: activity for activity in ACTIVITIES}
"""Activities by name."""


def _plain(name: str) -> str:
    """Lowercases a name, splits words, and removes punctuation and the prefixes of health stores."""
    name = re.sub(r"^(HKWorkoutActivityType|EXERCISE_TYPE_|ACTIVITY_TYPE_)", "", name.strip())
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return " ".join(re.findall(r"[a-z0-9]+", name.lower()))


def _alias_table() -> dict[str, str]:
    table: dict[str, str] = {}
    for activity in ACTIVITIES:
        for alias in (activity.name, *activity.aliases):
            known = table.setdefault(_plain(alias), activity.name)
            if known != activity.name:
                raise ValueError(f"Activities {known!r} and {activity.name!r} share the alias {alias!r}.")
    return table


_BY_ALIAS = _alias_table()


def canonical_activity(name: str) -> str | None:
    """Maps an activity name from a tracker or diary to the name used in this package.

    Case, `_`, `-`, brackets and the prefixes of Apple Health and Health Connect are ignored.

    Args:
        name: The name, such as `"Outdoor Bike"`, `"Weights"`, `"HKWorkoutActivityTypeRunning"` or `"lap_swimming"`.

    Returns:
        A name in [`ACTIVITIES`], or None if there is no match; there is no fuzzy matching, since a wrong match is worse
        than none.

    Raises:
        TypeError: If `name` is not a string.

    Example:
        >>> canonical_activity("Outdoor Bike")
        'outdoor cycling'
    """
    if not isinstance(name, str):
        raise TypeError(f"The name of an activity must be a string, got {type(name).__name__}.")
    return _BY_ALIAS.get(_plain(name))
