"""Properties of activities used only by the simulator: wrist movement, variation of effort, and frequency.

Names, energy costs, cadences and places are in the activity ontology, `sensorlm_hf.activities`. The
wrist movements are our own estimates, since none are published in this form; only their order is meaningful.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...activities import ACTIVITIES


@dataclass(frozen=True)
class Movement:
    """Movement of the wrist, as six numbers from which the accelerometer features are computed.

    Attributes:
        energy: Strength of the movement; 0 is still, 1 is running.
        rhythm: How regular it is; 0 is erratic, 1 is perfectly regular.
        frequency: How fast the arm swings or shakes; 0 to 1.
        spread: How evenly the movement uses the three axes; 0 is one axis, 1 is all.
        tilt: Mean posture of the forearm, -1 to 1.
        burst: How much the strength varies from minute to minute, as a share of it.
    """

    energy: float
    rhythm: float
    frequency: float
    spread: float
    tilt: float
    burst: float


@dataclass(frozen=True)
class Pattern:
    """How effort is distributed within a bout: a wave between two levels.

    Attributes:
        period: Length of the wave, minutes; 0 for steady effort.
        duty: Share of the wave at the high level.
        high: Effort at the high level, relative to the bout's mean effort.
        low: Effort at the low level.
    """

    period: float = 0.0
    duty: float = 1.0
    high: float = 1.0
    low: float = 1.0


STEADY = Pattern()


@dataclass(frozen=True)
class Behaviour:
    """How the simulator performs an activity, and how often.

    Attributes:
        movement: How the wrist moves.
        pattern: How effort is distributed within a bout.
        season: -1 for winter, 1 for summer, 0 for all year.
        weekend: Factor on its frequency at weekends.
        popularity: Relative frequency among the exercises.
    """

    movement: Movement
    pattern: Pattern = STEADY
    season: int = 0
    weekend: float = 1.0
    popularity: float = 1.0


# Light work at home or while standing includes pauses.
_PAUSES = Pattern(11, 0.6, 1.0, 0.4)
_REST = Movement(0.02, 0.05, 0.03, 0.15, -0.25, 0.6)
_DESK = Movement(0.09, 0.08, 0.12, 0.34, -0.35, 0.6)
_HANDS = Movement(0.24, 0.14, 0.22, 0.62, -0.05, 0.5)

_BY_NAME = {
    # Exercises
    "walking": Behaviour(Movement(0.42, 0.72, 0.36, 0.36, 0.08, 0.10), popularity=1.2),
    "running": Behaviour(Movement(0.92, 0.82, 0.74, 0.45, 0.32, 0.08), popularity=1.2),
    "treadmill running": Behaviour(Movement(0.86, 0.90, 0.70, 0.38, 0.42, 0.04)),
    "hiking": Behaviour(Movement(0.48, 0.58, 0.38, 0.52, 0.05, 0.22), Pattern(55, 0.82, 1.08, 0.6), season=1,
                        weekend=2.0, popularity=0.6),
    "outdoor cycling": Behaviour(Movement(0.40, 0.30, 0.84, 0.26, -0.48, 0.18), Pattern(14, 0.7, 1.12, 0.72),
                                 season=1, weekend=1.4),
    "indoor cycling": Behaviour(Movement(0.20, 0.52, 0.30, 0.20, -0.56, 0.12), Pattern(9, 0.55, 1.15, 0.82)),
    "elliptical": Behaviour(Movement(0.54, 0.88, 0.42, 0.28, 0.16, 0.06)),
    "rowing machine": Behaviour(Movement(0.64, 0.86, 0.24, 0.74, -0.18, 0.08)),
    "stair climbing": Behaviour(Movement(0.42, 0.68, 0.34, 0.42, 0.04, 0.14), Pattern(6, 0.6, 1.25, 0.65)),
    "swimming": Behaviour(Movement(0.74, 0.68, 0.30, 0.86, -0.30, 0.20), Pattern(7, 0.78, 1.1, 0.65)),
    "weight lifting": Behaviour(Movement(0.34, 0.34, 0.20, 0.66, -0.12, 0.55), Pattern(3, 0.34, 1.9, 0.55),
                                popularity=1.1),
    "HIIT": Behaviour(Movement(0.70, 0.42, 0.56, 0.70, 0.10, 0.45), Pattern(3, 0.5, 1.35, 0.65)),
    "yoga": Behaviour(Movement(0.15, 0.12, 0.08, 0.82, -0.30, 0.35)),
    "pilates": Behaviour(Movement(0.22, 0.28, 0.15, 0.70, -0.52, 0.28)),
    "tennis": Behaviour(Movement(0.64, 0.20, 0.50, 0.76, 0.20, 0.45), Pattern(5, 0.6, 1.2, 0.7), season=1),
    "football": Behaviour(Movement(0.66, 0.42, 0.60, 0.50, 0.24, 0.40), Pattern(8, 0.65, 1.18, 0.66)),
    "basketball": Behaviour(Movement(0.74, 0.32, 0.60, 0.66, 0.26, 0.42), Pattern(7, 0.62, 1.2, 0.68)),
    "golf": Behaviour(Movement(0.28, 0.26, 0.30, 0.50, 0.04, 0.60), Pattern(12, 0.5, 1.15, 0.72), season=1,
                      weekend=1.5, popularity=0.55),
    "dancing": Behaviour(Movement(0.64, 0.58, 0.52, 0.78, 0.30, 0.26), Pattern(5, 0.75, 1.1, 0.75)),
    "skiing": Behaviour(Movement(0.44, 0.20, 0.68, 0.46, -0.08, 0.50), Pattern(16, 0.4, 1.55, 0.6), season=-1,
                        weekend=2.0, popularity=0.42),
    # The rest of the day
    "sleeping": Behaviour(_REST),
    "resting": Behaviour(Movement(0.04, 0.05, 0.05, 0.20, -0.30, 0.6)),
    "watching television": Behaviour(Movement(0.05, 0.06, 0.07, 0.24, -0.30, 0.6)),
    "reading": Behaviour(Movement(0.05, 0.06, 0.06, 0.22, -0.42, 0.6)),
    "using a phone or computer": Behaviour(Movement(0.08, 0.07, 0.12, 0.30, -0.38, 0.6)),
    "office work": Behaviour(_DESK),
    "manual work": Behaviour(Movement(0.30, 0.16, 0.26, 0.60, 0.0, 0.5), _PAUSES),
    "meal": Behaviour(Movement(0.16, 0.10, 0.14, 0.50, -0.22, 0.5)),
    "cooking": Behaviour(_HANDS, _PAUSES),
    "housework": Behaviour(Movement(0.32, 0.16, 0.28, 0.66, 0.0, 0.5), _PAUSES),
    "gardening": Behaviour(Movement(0.33, 0.16, 0.26, 0.68, -0.08, 0.5), _PAUSES),
    "shopping": Behaviour(Movement(0.24, 0.30, 0.28, 0.46, 0.02, 0.4), _PAUSES),
    "childcare": Behaviour(_HANDS, _PAUSES),
    "socialising": Behaviour(Movement(0.12, 0.08, 0.14, 0.42, -0.2, 0.5)),
    "self-care": Behaviour(Movement(0.28, 0.12, 0.26, 0.68, 0.05, 0.5), _PAUSES),
    "commuting by car": Behaviour(Movement(0.12, 0.10, 0.34, 0.24, -0.28, 0.4)),
    "commuting by public transport": Behaviour(Movement(0.14, 0.14, 0.28, 0.26, -0.12, 0.5)),
    "walking to work": Behaviour(Movement(0.42, 0.70, 0.36, 0.36, 0.06, 0.10)),
    "cycling to work": Behaviour(Movement(0.38, 0.30, 0.80, 0.26, -0.46, 0.18)),
}  # fmt: skip

BEHAVIOURS: tuple[Behaviour, ...] = tuple(_BY_NAME[activity.name] for activity in ACTIVITIES)
"""How the simulator performs each of [`ACTIVITIES`], in their order."""
