"""A small grammar for statements, and the wordings of levels such as "heart rate was high".

A template is one line. `[a|b|c]` stands for one of the alternatives, which may be empty, and `{Q}` for a slot. A line
that begins with `- ` is a noun phrase ("a day with a racing pulse"), one that begins with `! ` denies the claim, and
`!- ` is a noun phrase that does; all others are clauses, which can be joined to compositions. `a(n)` becomes "a" or
"an". Slots of all templates: `{S}` and `{P}` are the person and the possessive, `{W}` is "was" or "were", `{on}` is an
optional "today". The wordings here are for training; those of evaluations are written independently.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TypeVar, Union

import numpy as np

_T = TypeVar("_T")

PEOPLE: tuple[tuple[str, str, str], ...] = (
    ("the wearer", "the wearer's", "was"),
    ("this person", "this person's", "was"),
    ("she", "her", "was"),
    ("he", "his", "was"),
    ("they", "their", "were"),
    ("I", "my", "was"),
    ("the participant", "the participant's", "was"),
    ("the user", "the user's", "was"),
    ("the subject", "the subject's", "was"),
    ("you", "your", "were"),
    ("the patient", "the patient's", "was"),
    ("the person wearing the watch", "the wearer's", "was"),
    ("someone", "the person's", "was"),
)
"""Ways to refer to the person: subject, possessive, and the past tense of "to be"."""

SHARED_SLOTS: Mapping[str, str] = {
    "dev": "[watch|device|wearable|tracker|sensor|wristband]",
    "on": "[||||today|that day|on this day|over the day|during the day|in this recording|this time]",
    "device": "the {dev}",
    "nt": "[|||last night|that night|on this night|this time|in this recording]",
    "mo": "[|||this morning|that morning|on this day|in this recording]",
    "very": "[very|extremely|exceptionally|remarkably|unusually|strikingly]",
}
"""Slots of all templates; their values are templates themselves."""

CLAUSE_FRAMES: tuple[str, ...] = (
    "{c}", "{c}", "{c}", "{C}.", "{C}.", "{C}.", "{C}", "{C}!", "Note: {c}.", "Summary: {c}.", "Observation: {c}.",
    "the data show that {c}", "The recording suggests that {c}.", "it looks like {c}", "apparently {c}",
    "according to the data, {c}", "in short, {c}", "Diary: {C}.", "Insight: {c}", "we can see that {c}",
    "Today's summary: {c}.", "as the signals show, {c}", "Of note, {c}.", "the record tells us that {c}",
)  # fmt: skip
"""Sentences around a clause; `{C}` is the clause with a capital."""

NOUN_FRAMES: tuple[str, ...] = (
    "{c}", "{c}", "{c}", "{C}", "{C}.", "{C}.", "Summary: {c}.", "Finding: {c}", "Seen: {c}", "Note: {c}",
    "Insight: {c}.", "In one line: {c}.", "the data: {c}", "Observation: {c}.",
)  # fmt: skip
"""Frames around a noun phrase."""

JOINTS: tuple[str, ...] = ("{a}, and {b}", "{a} and {b}", "{a}; {b}", "{a}, while {b}", "{a}; also, {b}",
                           "{a}. {B}", "{a}, and also {b}", "{a}; in addition, {b}")  # fmt: skip
"""Ways to join two clauses."""

CONTRAST_JOINTS: tuple[str, ...] = ("{a}, but {b}", "{a}; {b}, though", "although {a}, {b}", "{a}, yet {b}",
                                    "{a}, even though {b}")  # fmt: skip
"""Ways to join an affirmed and a denied clause."""

NOUN_JOINTS: tuple[str, ...] = ("{a}, {b}", "{a}; {b}", "{a} and {b}", "{a} plus {b}", "{a}, and also {b}", "{a} / {b}",
                                "{a} along with {b}", "{a}; also {b}", "{a} + {b}")  # fmt: skip
"""Ways to join two noun phrases."""


@dataclass(frozen=True)
class Template:
    """A line of the grammar.

    Attributes:
        text: The line without its mark.
        noun: Whether it is a noun phrase rather than a clause.
        denies: Whether it denies the claim.
    """

    text: str
    noun: bool = False
    denies: bool = False


def stable_hash(text: str) -> int:
    """Returns the same number for a text in every process."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def parse(lines: str) -> tuple[Template, ...]:
    """Parses templates, one per line.

    Raises:
        ValueError: If brackets or braces are not balanced, or a template occurs twice.
    """
    found: dict[Template, None] = {}
    for line in filter(None, map(str.strip, lines.splitlines())):
        denies, rest = line.startswith("!"), line.removeprefix("!").lstrip() if line.startswith("!") else line
        noun = rest.startswith("- ")
        template = Template(rest.removeprefix("- "), noun, denies)
        if line.count("[") != line.count("]") or line.count("{") != line.count("}"):
            raise ValueError(f"Template {line!r} has unbalanced brackets.")
        if re.search(r"\[[^\]]*\[", line):
            raise ValueError(f"Template {line!r} has brackets within brackets; use a slot.")
        if template in found:
            raise ValueError(f"Template {line!r} occurs twice.")
        found[template] = None
    return tuple(found)


_PIECE = re.compile(r"\[([^\[\]]*)\]|\{(\w+)\}")


@cache
def _pieces(text: str) -> tuple[str | tuple[str, ...], ...]:
    """Splits a template into text, choices (tuples) and slots (a null character and the name)."""
    pieces: list[str | tuple[str, ...]] = []
    end = 0
    for match in _PIECE.finditer(text):
        if match.start() > end:
            pieces.append(text[end : match.start()])
        pieces.append(tuple(match[1].split("|")) if match[1] is not None else "\0" + match[2])
        end = match.end()
    if end < len(text):
        pieces.append(text[end:])
    return tuple(pieces)


class Draws:
    """Random choices from a generator, drawn in blocks, since single draws are slow."""

    def __init__(self, rng: np.random.Generator, block: int = 512) -> None:
        self._rng, self._block = rng, block
        self._numbers: list[float] = []

    def number(self) -> float:
        """A number in [0, 1)."""
        if not self._numbers:
            self._numbers = self._rng.random(self._block).tolist()
        return self._numbers.pop()

    def choose(self, options: Sequence[_T]) -> _T:
        """One of the options."""
        return options[int(self.number() * len(options))]


Slots = Mapping[str, Union[str, Sequence[str]]]
"""Values of slots: templates, or sequences of templates to choose from."""


def expand(text: str, slots: Slots, draws: Draws) -> str:
    """Expands a template.

    Args:
        text: The template.
        slots: Values of its slots, besides [`SHARED_SLOTS`].
        draws: Makes the choices.

    Raises:
        ValueError: If the template has an unknown slot.
    """
    return tidy(_fill(text, slots, draws))


def _fill(text: str, slots: Slots, draws: Draws) -> str:
    out = []
    for piece in _pieces(text):
        if isinstance(piece, tuple):
            out.append(_fill(draws.choose(piece), slots, draws))
        elif piece[0] == "\0":
            value = slots.get(piece[1:], SHARED_SLOTS.get(piece[1:]))
            if value is None:
                raise ValueError(f"Template {text!r}: unknown slot {piece[1:]!r}; there are {', '.join(slots)}.")
            out.append(_fill(value if isinstance(value, str) else draws.choose(value), slots, draws))
        else:
            out.append(piece)
    return "".join(out)


_SPACES = re.compile(r"\s+")
_BEFORE_POINT = re.compile(r"\s+([,.;:!])")
_ARTICLE = re.compile(r"\b([Aa])\(n\) (?=(\w+))")
_CONSONANT_SOUND = re.compile(r"(?i)(uni|use|usu|one|eu|ute)")
_VOWEL_SOUND = re.compile(r"(?i)([aeiou]|hour|honest|8|11|18|SDNN|RMSSD|HRV)")


def _article(match: re.Match[str]) -> str:
    word = match[2]
    vowel = _VOWEL_SOUND.match(word) and not _CONSONANT_SOUND.match(word)
    return f"{match[1]}n " if vowel else f"{match[1]} "


def tidy(text: str) -> str:
    """Removes superfluous spaces and chooses between "a" and "an"."""
    text = _BEFORE_POINT.sub(r"\1", _SPACES.sub(" ", text).strip())
    return _ARTICLE.sub(_article, text) if "(n)" in text else text


def capitalised(text: str) -> str:
    """Returns the text with its first letter in upper case."""
    return text[:1].upper() + text[1:]


LEVEL_TEMPLATES = parse("""
{P} {Q} was {A} {on}
the {Q} was {A} {on}
{Q} was {A} [|throughout|overall|on the whole|by and large]
{S} had a(n) {T} {Q} {on}
[today|that day|on this day|overall|on the whole], {P} {Q} was {A}
[today|that day|on this day|overall|as a whole], the {Q} was {A}
the {Q} [turned out|proved|came out|ended up] {A}
{P} {Q} [came out|ended up|turned out to be] {A}
the {Q} [can|could] be described as {A}
{P} {Q} is best described as {A}
{device} [recorded|measured|picked up|registered|captured] a(n) {T} {Q}
{device} [showed|reported|displayed] a(n) {T} {Q} {on}
a(n) {T} {Q} was [recorded|measured|observed|seen|noted] {on}
there was a(n) {T} {Q} {on}
the [readings|measurements|signals|curves] [point to|indicate|reveal|suggest] a(n) {T} {Q}
[readings|measurements] of {P} {Q} were {A}
as for {P} {Q}, it was {A}
as far as the {Q} is concerned, it was {A}
{S} [went|got] through the day with a(n) {T} {Q}
{S} showed a(n) {T} {Q}
{S} [presented with|exhibited|displayed] a(n) {T} {Q}
compared with other [people|days], the {Q} was {A}
{P} {Q} was {A} by [any|most] standards
the average [reader|observer] would call {P} {Q} {A}
{P} {Q} [would count as|qualifies as|has to be called] {A}
what [stands out|can be said] is that the {Q} was {A}
{S} {W} found to have a(n) {T} {Q}
the level of the {Q} was {A}
- a(n) {T} {Q}
- {T} {Q} {on}
- {Q}: {A}
- {Q} {A}
- a day with a(n) {T} {Q}
- a day of {T} {Q}
- {P} {T} {Q}
- someone with a(n) {T} {Q}
- a person whose {Q} was {A}
- a [recording|record] with a(n) {T} {Q}
- [signs|evidence|traces] of a(n) {T} {Q}
- a day on which the {Q} was {A}
- measurements of a(n) {T} {Q}
- a wearer with a(n) {T} {Q}
- level of {Q}: {A}
! {P} {Q} was not {A} {on}
! the {Q} was [not|never|not really|by no means] {A}
! {S} did not have a(n) {T} {Q} {on}
! the {Q} was anything but {A}
! it would be wrong to call the {Q} {A}
! {P} {Q} cannot be described as {A}
! nobody would call {P} {Q} {A}
! {device} did not [record|measure|register] a(n) {T} {Q}
! there was no {T} {Q} {on}
! at no point could the {Q} be called {A}
! the {Q} [did not turn out|was not found to be|failed to be] {A}
!- no {T} {Q} {on}
!- a day without a(n) {T} {Q}
!- no [sign|evidence|trace] of a(n) {T} {Q}
!- {Q}: not {A}
!- someone without a(n) {T} {Q}
!- a day on which the {Q} was not {A}
!- anything but a(n) {T} {Q}
""")
"""Templates of every level: `{Q}` is the quantity, `{A}` a predicate ("on the high side"), `{T}` an attribute."""

PART_TEMPLATES = parse("""
{P} {Q} was {A} {in}
the {Q} was {A} {in}
{in}, the {Q} was {A}
{in}, {P} {Q} was {A}
{in}, {S} had a(n) {T} {Q}
{S} had a(n) {T} {Q} {in}
{device} [recorded|measured|registered|picked up] a(n) {T} {Q} {in}
a(n) {T} {Q} was [recorded|measured|observed|seen] {in}
there was a(n) {T} {Q} {in}
{Q} was {A} {in}
{in}, {device} [showed|reported|displayed] a(n) {T} {Q}
the [readings|measurements] {in} [point to|indicate|reveal] a(n) {T} {Q}
for {the_part}, {P} {Q} was {A}
the {part} [brought|saw] a(n) {T} {Q}
{the_part} was a time of {T} {Q}
as for {the_part}, the {Q} was {A}
{S} [went|got] through {the_part} with a(n) {T} {Q}
{P} {Q} [turned out|came out|proved] {A} {in}
if one looks at {the_part}, the {Q} was {A}
compared with other days, the {Q} was {A} {in}
what can be said of {the_part} is that the {Q} was {A}
- a(n) {T} {Q} {in}
- {T} {Q} {in}
- {part} {Q}: {A}
- {Q} {A} {in}
- a(n) {part} with a(n) {T} {Q}
- a(n) {part} of {T} {Q}
- a day with a(n) {T} {Q} {in}
- someone with a(n) {T} {Q} {in}
- {the_part}: {Q} {A}
- {T} {part} {Q}
! {P} {Q} was not {A} {in}
! {in}, the {Q} was [not|never|by no means] {A}
! {S} did not have a(n) {T} {Q} {in}
! {in}, nobody would have called {P} {Q} {A}
! there was no {T} {Q} {in}
! {in}, {device} did not [record|measure] a(n) {T} {Q}
!- no {T} {Q} {in}
!- a(n) {part} without a(n) {T} {Q}
!- {part} {Q}: not {A}
""")
"""Templates of levels in a part of the day; `{in}` is "in the morning" and `{part}` is "morning"."""

PART_SLOTS: Mapping[str, Mapping[str, str]] = {
    "night": {
        "in": "[at night|during the night|in the small hours|after midnight|in the hours after midnight|overnight]",
        "part": "night",
        "the_part": "[the night|the small hours as a whole|the night hours taken together]",
    },
    "morning": {
        "in": "[in the morning|before noon|before lunch|during the morning|in the morning hours]",
        "part": "morning",
        "the_part": "[the morning|the first half of the day]",
    },
    "afternoon": {
        "in": "[in the afternoon|after lunch|during the afternoon|in the afternoon hours|between noon and six]",
        "part": "afternoon",
        "the_part": "[the afternoon|the time after lunch]",
    },
    "evening": {
        "in": "[in the evening|late in the day|during the evening|in the evening hours|after six in the evening]",
        "part": "evening",
        "the_part": "[the evening|the last part of the day]",
    },
}
"""Phrases of the parts of the day."""

PREDICATES: Mapping[str, str] = {
    "very_high": "[{very} high|far above average|well above normal|among the highest seen|much higher than usual|"
    "through the roof|at the very top of the range]",
    "high": "[high|elevated|raised|above average|on the high side|higher than usual|above normal|rather high|"
    "higher than in most people|fairly high|in the upper range|at the upper end]",
    "average": "[about average|in the normal range|typical|middling|ordinary|neither high nor low|unremarkable|"
    "moderate|in the middle of the range|close to the average|as in most people]",
    "low": "[low|below average|on the low side|lower than usual|reduced|rather low|fairly low|below normal|"
    "lower than in most people|in the lower range|at the lower end]",
    "very_low": "[{very} low|far below average|well below normal|among the lowest seen|much lower than usual|"
    "at the very bottom of the range]",
}
"""Predicates of the grades, for any quantity."""

ATTRIBUTES: Mapping[str, str] = {
    "very_high": "[{very} high|far above-average|extreme|extraordinarily high|hugely elevated]",
    "high": "[high|elevated|raised|above-average|rather high|fairly high|higher than usual|heightened]",
    "average": "[typical|average|ordinary|middling|moderate|normal|unremarkable|medium]",
    "low": "[low|below-average|reduced|rather low|fairly low|lower than usual|lowish]",
    "very_low": "[{very} low|far below-average|minimal|extraordinarily low]",
}
"""Attributes of the grades, for any quantity."""


@dataclass(frozen=True)
class LevelWords:
    """Wordings of a kind of level.

    Attributes:
        quantity: Names of the quantity, singular and without an article; empty if no name goes with adjectives, so
            that only the templates of the kind are used.
        adjectives: By grade, adjectives that can be both predicates and attributes, besides those of all levels.
        templates: By grade, templates of this kind alone.
    """

    quantity: str
    adjectives: Mapping[str, str] = field(default_factory=dict)
    templates: Mapping[str, tuple[Template, ...]] = field(default_factory=dict)


def level_words(quantity: str, adjectives: Mapping[str, str] | None = None, **own: str) -> LevelWords:
    """Builds the wordings of a level from lines of templates by grade."""
    return LevelWords(quantity, adjectives or {}, {grade: parse(lines) for grade, lines in own.items()})
