"""The zero-shot tasks: classes, the phrases and sentences that describe them, and which day belongs to which.

The paper names its tasks but publishes neither class lists nor prompts; these are ours, all in this file, derived from
the one table of activities (`sensorlm_hf.data.simulate.activities.ACTIVITIES`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..data.simulate.activities import ACTIVITIES, Activity
from ..days import SensorDay

ACTIVITY_TEMPLATES = (
    "A day with {}.",
    "The person did {} that day.",
    "Activities logged: {}.",
    "The main activity of the day was {}.",
)
"""Prompt ensemble of the tasks, one `{}` for a phrase."""


@dataclass(frozen=True)
class Task:
    """A classification task over days.

    Attributes:
        name: Name of the task, as the command line takes it.
        description: One sentence.
        class_names: The classes.
        phrases: For each class the phrases that stand for it in a prompt; their embeddings are averaged.
        members: `{value of the day's label: class index}`.
        label_key: Which of the day's labels is read.
        templates: Prompt sentences.
    """

    name: str
    description: str
    class_names: tuple[str, ...]
    phrases: tuple[tuple[str, ...], ...]
    members: dict[str, int]
    label_key: str = "main_activity"
    templates: tuple[str, ...] = ACTIVITY_TEMPLATES

    def class_of(self, day: SensorDay) -> int | None:
        """Returns the class of a day, or None if the task does not label it."""
        value = day.labels.get(self.label_key)
        return None if value is None else self.members.get(str(value))


def _each(name: str, description: str, chosen: Callable[[Activity], bool]) -> Task:
    """A task whose classes are activities."""
    names = tuple(activity.name for activity in ACTIVITIES if activity.benchmark and chosen(activity))
    return Task(name, description, names, tuple((n,) for n in names), {n: k for k, n in enumerate(names)})


def _grouped(name: str, description: str, group_of: Callable[[Activity], str], classes: tuple[str, ...]) -> Task:
    """A task whose classes are groups of activities; a group's phrases are the names of its members."""
    chosen = [(activity.name, group_of(activity)) for activity in ACTIVITIES if activity.benchmark]
    phrases = tuple(tuple(n for n, group in chosen if group == wanted) for wanted in classes)
    members = {n: classes.index(group) for n, group in chosen if group in classes}
    return Task(name, description, classes, phrases, members)


_TASKS = (
    _each("activity", "Which of 20 kinds of exercise was the longest of the day.", lambda a: True),
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
        "Whether the exercise moves the body from place to place.",
        lambda a: "locomotion" if a.locomotion else "stationary",
        ("locomotion", "stationary"),
    ),
    _each("gym_cardio", "Which of four machines of the gym.", lambda a: a.gym_cardio),
    _each("outdoor_sports", "Which of four outdoor sports.", lambda a: a.outdoor_sport),
)

TASKS: dict[str, Task] = {task.name: task for task in _TASKS}
"""The zero-shot tasks of the paper, by name."""


def get_task(name: str) -> Task:
    """Returns a task by name.

    Raises:
        ValueError: If there is no such task.
    """
    if name not in TASKS:
        raise ValueError(f"Unknown task {name!r}; there are {', '.join(TASKS)}.")
    return TASKS[name]


def all_prompts() -> list[str]:
    """Returns every prompt of every task, each once, in a fixed order."""
    prompts = (
        template.format(phrase)
        for task in TASKS.values()
        for group in task.phrases
        for phrase in group
        for template in task.templates
    )
    return list(dict.fromkeys(prompts))
