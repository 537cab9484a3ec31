"""Task definitions: classes, their prompts, and the mapping from labels to classes.

The paper names its tasks but does not publish class lists or prompts; those in this file are our own, derived from the
table of activities (`sensorlm_hf.activities.ACTIVITIES`; [`activity_table`] prints it).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..activities import ACTIVITIES, ACTIVITY_BY_NAME, Activity
from ..data.rewording import SEDENTARY_MET, attribute_words, description_words, intensity_words
from ..days import Event, SensorDay

ACTIVITY_TEMPLATES = (
    "A day with {}.",
    "The person did {} that day.",
    "Activities logged: {}.",
    "The main activity of the day was {}.",
)
"""Prompt templates of the tasks, with one `{}` placeholder for the phrase."""


@dataclass(frozen=True)
class Task:
    """A classification task over days.

    Attributes:
        name: Name of the task, as used on the command line.
        description: One-sentence description.
        class_names: Names of the classes.
        phrases: Phrases that describe each class in a prompt; their embeddings are averaged.
        members: `{label value: class index}`.
        label_key: Key of the label of the day.
        templates: Prompt templates.
    """

    name: str
    description: str
    class_names: tuple[str, ...]
    phrases: tuple[tuple[str, ...], ...]
    members: dict[str, int]
    label_key: str = "main_activity"
    templates: tuple[str, ...] = ACTIVITY_TEMPLATES

    def class_of(self, day: SensorDay) -> int | None:
        """Returns the class of a day, or None if it has no label for the task."""
        value = day.labels.get(self.label_key)
        return None if value is None else self.members.get(str(value))


def _each(name: str, description: str, chosen: Callable[[Activity], bool]) -> Task:
    """Creates a task whose classes are activities."""
    names = tuple(activity.name for activity in ACTIVITIES if activity.benchmark and chosen(activity))
    return Task(name, description, names, tuple((n,) for n in names), {n: k for k, n in enumerate(names)})


def _grouped(name: str, description: str, group_of: Callable[[Activity], str], classes: tuple[str, ...]) -> Task:
    """Creates a task whose classes are groups of activities; the phrases of a group are the names of its members."""
    chosen = [(activity.name, group_of(activity)) for activity in ACTIVITIES if activity.benchmark]
    phrases = tuple(tuple(n for n, group in chosen if group == wanted) for wanted in classes)
    members = {n: classes.index(group) for n, group in chosen if group in classes}
    return Task(name, description, classes, phrases, members)


_TASKS = (
    _each("activity", "Which of 20 kinds of exercise took the most time that day.", lambda a: True),
    _grouped(
        "environment",
        "Whether the exercise happened indoors or outdoors.",
        lambda a: a.environment,
        ("indoor", "outdoor"),
    ),
    _grouped(
        "cardio_vs_strength",
        "Whether the exercise trains the heart or strength.",
        lambda a: a.category,
        ("cardio", "strength"),
    ),
    _grouped(
        "locomotion",
        "Whether the exercise involves moving from place to place.",
        lambda a: "locomotion" if a.locomotion else "stationary",
        ("locomotion", "stationary"),
    ),
    _each("gym_cardio", "Which of four gym machines.", lambda a: a.gym_cardio),
    _each("outdoor_sports", "Which of four outdoor sports.", lambda a: a.outdoor_sport),
)

TASKS: dict[str, Task] = {task.name: task for task in _TASKS}
"""Zero-shot tasks of the paper by name."""


UNSEEN_ACTIVITIES = ("treadmill running", "hiking", "pilates", "football", "basketball")
"""Activities held out of training for the unseen-classes task: pretrain with
`PretrainOptions(held_out_activities=UNSEEN_ACTIVITIES)`, or `sensorlm-hf train --hold-out`. Each has a
different combination of environment and category (indoor and outdoor cardio, indoor strength, outdoor and indoor
sport), so that they can be distinguished by their attributes."""


def _unseen_task() -> Task:
    """Creates the unseen-classes task, whose classes are described by their attributes.

    A model that never saw the names of these activities can only recognize attributes, and only if its training
    captions contained attributes (`PretrainOptions.label_rewording`).
    """
    activities = [ACTIVITY_BY_NAME[name] for name in UNSEEN_ACTIVITIES]
    phrases = tuple((*description_words(activity), *attribute_words(activity)) for activity in activities)
    return Task(
        "unseen",
        "Which of five kinds of exercise held out of training.",
        UNSEEN_ACTIVITIES,
        phrases,
        {name: k for k, name in enumerate(UNSEEN_ACTIVITIES)},
    )


UNSEEN_TASK = _unseen_task()
"""The unseen-classes task. It is not part of [`TASKS`], since it is only meaningful for models that were trained
without these activities."""


@dataclass(frozen=True)
class EventTask:
    """A classification task over events: days with everything but one event masked.

    Attributes:
        name: Name of the task, as used on the command line.
        description: One-sentence description.
        class_names: Names of the classes.
        phrases: Phrases that describe each class in a prompt; their embeddings are averaged.
        members: `{lowercase event label: class index}`.
        kinds: Kinds of events that belong to the task.
        templates: Prompt templates.
        min_minutes: Minimum duration of an event inside the window, in minutes.
    """

    name: str
    description: str
    class_names: tuple[str, ...]
    phrases: tuple[tuple[str, ...], ...]
    members: dict[str, int] = field(default_factory=dict)
    kinds: tuple[str, ...] = ("activity", "sleep")
    templates: tuple[str, ...] = ACTIVITY_TEMPLATES
    min_minutes: int = 10

    def class_of(self, event: Event) -> int | None:
        """Returns the class of an event, or None if it has no class in the task."""
        return self.members.get(event.label.lower()) if event.kind in self.kinds else None


_SEDENTARY = tuple(
    a.name
    for a in ACTIVITIES
    if not a.benchmark
    and a.met <= SEDENTARY_MET
    and a.name not in ("sleeping", "meal", "socialising")
    and not a.locomotion
)
_LIGHT = tuple(
    a.name
    for a in ACTIVITIES
    if not a.benchmark and a.met > SEDENTARY_MET and (not a.locomotion or a.name == "walking to work")
)
_VIGOROUS = tuple(a.name for a in ACTIVITIES if a.benchmark and a.met >= 3)


def _intensity_task() -> EventTask:
    """Creates the intensity task: sleep, sedentary, light and vigorous, for MMASH diaries and logs with our activities.

    `read_mmash` maps the codes of the MMASH diary (Rossi et al. 2020) to labels. The classes comprise these codes:
    sleep 0; sedentary 2 (sitting), 7 (small screen) and 8 (large screen); light 3; vigorous 4 (medium: fast walking,
    cycling) and 5 (heavy: gym, running). Lying down (1), meals (6) and all other codes are excluded. The phrases are
    the names of our own activities, grouped by METs: models learn these words from captions, and they were fixed before
    any MMASH recording was scored.
    """
    sleep = ("sleep", "nap")
    diary = (
        (),
        ("sitting", "small screen use", "large screen use"),
        ("light movement",),
        ("medium activity", "heavy activity"),
    )
    groups = (sleep, _SEDENTARY, _LIGHT, _VIGOROUS)
    members = {
        label.lower(): k
        for k, (own, foreign) in enumerate(zip(groups, diary, strict=True))
        for label in (*own, *foreign)
    }
    phrases = (("sleep", "a nap"), *groups[1:])
    names = ("sleep", "sedentary", "light", "vigorous")
    return EventTask("intensity", "Whether an event was sleep, sedentary, light or vigorous.", names, phrases, members)


def _exercise_events() -> EventTask:
    names = tuple(a.name for a in ACTIVITIES if a.benchmark)
    return EventTask(
        "exercise_events",
        "Which of 20 kinds of exercise an event was.",
        names,
        tuple((name,) for name in names),
        {name.lower(): k for k, name in enumerate(names)},
        kinds=("activity",),
    )


EVENT_TASKS: dict[str, EventTask] = {task.name: task for task in (_intensity_task(), _exercise_events())}
"""Event-level tasks by name; they are not part of the paper."""


@dataclass(frozen=True)
class ProbeTask:
    """A classification task over days for linear probes and other supervised classifiers.

    Attributes:
        name: Name of the task.
        description: One-sentence description.
        label_key: Key of the label of the day.
        class_names: Names of the classes, in order of their index.
        members: `{label value as a string: class index}`.
    """

    name: str
    description: str
    label_key: str
    class_names: tuple[str, ...]
    members: dict[str, int]

    def class_of(self, day: SensorDay) -> int | None:
        """Returns the class of a day, or None if it has no label for the task."""
        value = day.labels.get(self.label_key)
        return None if value is None else self.members.get(str(value))


def _condition(name: str, description: str) -> ProbeTask:
    return ProbeTask(name, description, name, (f"no {name}", name), {"False": 0, "True": 1, "0": 0, "1": 1})


PROBE_TASKS: dict[str, ProbeTask] = {
    task.name: task
    for task in (
        ProbeTask(
            "activity",
            TASKS["activity"].description,
            "main_activity",
            TASKS["activity"].class_names,
            TASKS["activity"].members,
        ),
        _condition("anxiety", "Whether the person lives with an anxiety disorder."),
        _condition("hypertension", "Whether the person lives with hypertension."),
    )
}
"""Tasks of linear probes and few-shot learning by name."""

SHOTS = (1, 5, 10, 20, 50)
"""Numbers of labelled days per class in few-shot learning."""

RETRIEVAL_POOLS = (100, 200, 500, 1000, 2000, 5000, 10_000)
"""Pool sizes in retrieval; those above the number of days are skipped."""


def labelled_days(
    days: Sequence[SensorDay], task: Any, *, allow_none: bool = False
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Selects the days with a label for a task.

    Args:
        days: Days.
        task: A [`Task`] or [`ProbeTask`].
        allow_none: Whether to return empty results instead of raising if no day has a label.

    Returns:
        `(N,)` rows of the days, their `(N,)` classes, and the person of each.

    Raises:
        ValueError: If none of the days has a label for the task.
    """
    classes = [task.class_of(day) for day in days]
    rows = np.array([i for i, k in enumerate(classes) if k is not None], dtype=int)
    if not len(rows) and not allow_none:
        raise ValueError(
            f"None of the {len(days)} days has a label for task {task.name!r}, which uses labels[{task.label_key!r}];"
            f" it must be one of {', '.join(task.members)}."
        )
    return rows, np.array([classes[i] for i in rows], dtype=int), [days[i].subject_id for i in rows]


def activity_table() -> str:
    """Returns the 20 activities of the benchmark with their attributes, as a Markdown table."""
    lines = [
        "| activity | METs | intensity | environment | category | moves | gym cardio | outdoor sport | held out |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for a in ACTIVITIES:
        if a.benchmark:
            yes = ["yes" if v else "" for v in (a.gym_cardio, a.outdoor_sport, a.name in UNSEEN_ACTIVITIES)]
            moves = "locomotion" if a.locomotion else "stationary"
            cells = [a.name, f"{a.met:g}", intensity_words(a)[0].split()[0], a.environment, a.category, moves, *yes]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def get_event_task(name: str) -> EventTask:
    """Returns an event-level task by name.

    Raises:
        ValueError: If there is no such task.
    """
    if name not in EVENT_TASKS:
        raise ValueError(f"Unknown event task {name!r}; available tasks are {', '.join(EVENT_TASKS)}.")
    return EVENT_TASKS[name]


def get_task(name: str) -> Task:
    """Returns a task by name.

    Raises:
        ValueError: If there is no such task.
    """
    if name not in TASKS:
        raise ValueError(
            f"Unknown task {name!r}; available tasks are {', '.join(TASKS)}. For event-level tasks, probes, retrieval,"
            " captioning and baselines use evaluate_model."
        )
    return TASKS[name]


def all_prompts() -> list[str]:
    """Returns the unique prompts of all tasks, in a fixed order."""
    tasks: list[Task | EventTask] = [*TASKS.values(), UNSEEN_TASK, *EVENT_TASKS.values()]
    prompts = (
        template.format(phrase)
        for task in tasks
        for group in task.phrases
        for phrase in group
        for template in task.templates
    )
    return list(dict.fromkeys(prompts))
