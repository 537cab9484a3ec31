"""Which templates and slots word a claim, and which of them are kept for validation."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from .activity_phrases import ACTIVITY_GROUPS, ACTIVITY_PHRASES, NAP, ActivityPhrases
from .claims import Claim
from .statement_activities import (
    ACTIVITY_PART_TEMPLATES,
    ACTIVITY_TEMPLATES,
    LENGTH_SLOTS,
    LENGTH_TEMPLATES,
    MOOD_TEMPLATES,
    MOOD_WORDS,
)
from .statement_bedtime import BEDTIMES
from .statement_levels_body import BODY_WORDS
from .statement_levels_heart import HEART_WORDS
from .statement_sleep import SLEEP
from .statement_wear_exercise import WEAR_AND_EXERCISE
from .statement_wordings import (
    ATTRIBUTES,
    LEVEL_TEMPLATES,
    PART_SLOTS,
    PART_TEMPLATES,
    PREDICATES,
    Draws,
    Slots,
    Template,
    expand,
    parse,
    stable_hash,
)

SPLITS = ("train", "validation")
"""Splits of the wordings."""

SINGLE_TEMPLATES = {name: parse(lines) for name, lines in {**SLEEP, **BEDTIMES, **WEAR_AND_EXERCISE}.items()}
"""Templates by `<kind>/<name>`, for claims that are no levels."""

LEVEL_WORDS = {**HEART_WORDS, **BODY_WORDS}
"""Wordings by kind of level."""

_VALIDATION_SHARE = 10  # one in ten templates and phrases
_FEWEST_PHRASES = 4  # fewer wordings of an activity are all used in training
_LIGHT_VERBS = ("had", "enjoyed", "managed")
_PLAIN_WORDS = 3  # words of a wording that is general enough to be denied
_WORDED_TWICE = ("sleeping", NAP, "exercise")  # there are kinds with wordings of their own for these
_GROUP_PHRASES = {group.name: group.phrases for group in ACTIVITY_GROUPS}
_PHRASE_SLOT = re.compile(r"\{(G|PAST|N|M)\}")
_LEADING_ARTICLE = re.compile(r"^(a|an|some|the|one|a bit of|a bout of) (?=\w)")


@dataclass(frozen=True)
class Wording:
    """Everything that can word a claim.

    Attributes:
        templates: By (split, denies, noun): the templates; those of "validation" are never used in training.
        slots: Values of the slots.
        phrases: By (split, slot): wordings of the activity, if the claim is about one.
    """

    templates: Mapping[tuple[str, bool, bool], tuple[str, ...]]
    slots: Slots
    phrases: Mapping[tuple[str, str], tuple[str, ...]]

    def forms(self, split: str, denies: bool) -> tuple[bool, ...]:
        """Returns which forms the split has, clauses (False) or noun phrases (True), once for each template."""
        return tuple(noun for noun in (False, True) for _ in self.templates[split, denies, noun])

    def write(self, split: str, denies: bool, noun: bool, person: tuple[str, str, str], draws: Draws) -> str:
        """Words the claim, or its denial, without a capital or a full stop.

        Args:
            split: Split of the wordings.
            denies: Whether the claim is denied.
            noun: Whether the result is a noun phrase or a clause.
            person: Subject, possessive and past tense of "to be".
            draws: Makes the choices.
        """
        phrase_split = "train"
        if split == "validation" and self.phrases and not denies and draws.number() < 0.5:
            # A new phrase in any template is as new as a new template with any phrase.
            options = [
                text
                for which in SPLITS
                for text in self.templates[which, denies, noun]
                if (match := _PHRASE_SLOT.search(text)) and self.phrases["validation", match[1]]
            ]
            phrase_split = "validation" if options else "train"
        if phrase_split == "train":
            options = list(self.templates[split, denies, noun])
        phrases = {slot: known for (which, slot), known in self.phrases.items() if which == phrase_split}
        if denies and phrase_split == "train":
            # That somebody did not "row a 2k test" is true of most who row; only plain wordings can be denied.
            phrases.update({slot: _plain(known) for slot, known in phrases.items()})
        slots = {**self.slots, **phrases, "S": person[0], "P": person[1], "W": person[2]}
        return expand(draws.choose(options), slots, draws)


@cache
def _plain(phrases: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the short phrases, which are general; the first ones if there are too few."""
    short = tuple(phrase for phrase in phrases if len(phrase.split()) <= _PLAIN_WORDS)
    return short if len(short) >= _FEWEST_PHRASES else phrases[:_FEWEST_PHRASES]


def is_held_out(kind: str, text: str) -> bool:
    """Returns whether a template or phrase of a kind is kept for validation."""
    return stable_hash(f"{kind}|{text}") % _VALIDATION_SHARE == 0


def _split(kind: str, templates: Sequence[Template]) -> dict[tuple[str, bool, bool], tuple[str, ...]]:
    result: dict[tuple[str, bool, bool], tuple[str, ...]] = {}
    for denies in (False, True):
        pool = [template for template in templates if template.denies == denies]
        held_out = {template for template in pool if is_held_out(kind, template.text)}
        if not held_out and len(pool) > 1:
            held_out = {min(pool, key=lambda template: stable_hash(f"{kind}|{template.text}"))}
        if len(held_out) == len(pool) and pool:
            held_out.remove(max(held_out, key=lambda template: stable_hash(f"{kind}|{template.text}")))
        for noun in (False, True):
            for split in SPLITS:
                result[split, denies, noun] = tuple(
                    template.text
                    for template in pool
                    if template.noun == noun and (template in held_out) == (split == "validation")
                )
    return result


def _split_phrases(name: str, found: ActivityPhrases) -> dict[tuple[str, str], tuple[str, ...]]:
    result: dict[tuple[str, str], tuple[str, ...]] = {}
    # "Had a nap" is also "had" with the noun "a nap", which is a template of its own.
    past = tuple(
        p for p in found.past if p.split(" ", 1)[0] not in _LIGHT_VERBS or p.split(" ", 1)[1] not in found.nouns
    )
    for slot, phrases in (("G", found.gerunds), ("PAST", past), ("N", found.nouns), ("M", found.nouns)):
        held_out = [phrase for phrase in phrases if is_held_out(name, phrase)]
        if len(phrases) - len(held_out) < _FEWEST_PHRASES or name in _WORDED_TWICE:
            held_out = []
        for split in SPLITS:
            chosen = [phrase for phrase in phrases if (phrase in held_out) == (split == "validation")]
            if slot == "M":
                chosen = [_LEADING_ARTICLE.sub("", phrase) for phrase in chosen]
            result[split, slot] = tuple(chosen)
    return result


@cache
def wording_of(claim: Claim) -> Wording:
    """Returns the wordings of a claim; those of a negated claim are the same, used as denials.

    Raises:
        ValueError: If there are none.
    """
    kind, name, detail = claim.kind, claim.name, claim.detail
    base = kind.removesuffix("_part").removesuffix("_length")
    slots: dict[str, str | Sequence[str]] = dict(PART_SLOTS.get(detail, {}))
    if base in ("activity", "group"):
        phrases = _split_phrases(name, (ACTIVITY_PHRASES if base == "activity" else _GROUP_PHRASES)[name])
        if kind.endswith("_length"):
            return Wording(_split(kind, LENGTH_TEMPLATES), dict(LENGTH_SLOTS[detail]), phrases)
        templates = ACTIVITY_PART_TEMPLATES if kind.endswith("_part") else ACTIVITY_TEMPLATES
        return Wording(_split(kind, templates), slots, phrases)
    if kind in LEVEL_WORDS:
        words = LEVEL_WORDS[kind]
        own = (words.adjectives[name],) if name in words.adjectives else ()
        slots.update(Q=words.quantity, A=(PREDICATES[name], PREDICATES[name], *own), T=(ATTRIBUTES[name], *own))
        if kind.startswith(("sleep", "exercise")):
            slots["on"] = ""  # sleep and exercise are not "over the day"
        shared = PART_TEMPLATES if kind.endswith("_part") else LEVEL_TEMPLATES
        return Wording(_split(kind, (*shared, *words.templates.get(name, ()))), slots, {})
    if kind == "mood" and name in MOOD_WORDS:
        slots["A"], slots["N"] = MOOD_WORDS[name]
        return Wording(_split(kind, MOOD_TEMPLATES), slots, {})
    try:
        return Wording(_split(kind, SINGLE_TEMPLATES[f"{kind}/{name}"]), slots, {})
    except KeyError:
        raise ValueError(f"Claim {claim.key!r} has no wordings.") from None
