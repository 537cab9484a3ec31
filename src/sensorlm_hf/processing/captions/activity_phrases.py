"""How people write about activities: in diaries, messages, apps, training logs and clinical notes.

The names and aliases of the table of activities are what trackers use. People also write "pumped iron" or "a pick-up
game of hoops", and often describe an activity without its name. These wordings are for training; evaluation sentences
must not be drawn from them.
"""

from __future__ import annotations

from .activity_phrases_base import NAP, ActivityGroup, ActivityPhrases
from .activity_phrases_cardio import CARDIO_PHRASES
from .activity_phrases_everyday import EVERYDAY_PHRASES
from .activity_phrases_exercise import EXERCISE_PHRASES
from .activity_phrases_groups_everyday import EVERYDAY_GROUPS
from .activity_phrases_groups_exercise import EXERCISE_GROUPS

__all__ = ["ACTIVITY_GROUPS", "ACTIVITY_PHRASES", "NAP", "ActivityGroup", "ActivityPhrases"]

ACTIVITY_PHRASES: dict[str, ActivityPhrases] = {**CARDIO_PHRASES, **EXERCISE_PHRASES, **EVERYDAY_PHRASES}
"""Wordings by name of the activity, for every activity of the table and [`NAP`].

Each is true of this activity and of no other in the table; those that fit several are in [`ACTIVITY_GROUPS`].
"""

ACTIVITY_GROUPS: tuple[ActivityGroup, ...] = (*EXERCISE_GROUPS, *EVERYDAY_GROUPS)
"""Groups of activities with the wordings that are true of each of their members; an activity may be in several."""
