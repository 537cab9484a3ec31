"""Statements of known truth: qualitative sentences about days, each true, false or undecided for every day.

A statement such as "the pulse was fast, but the wearer hardly walked" consists of claims about the facts of a day (see
`claims` and `day_facts`), so that it can be compared with *all* days of a batch: [`truth`] returns a matrix with which
a contrastive loss can treat every day for which a statement is true as a positive, every day for which it is false as
a negative, and leave out the others.

This *qualitative* level is an addition to the three caption levels of the SensorLM paper (statistical, structural and
semantic), and off by default in the recipes that follow the paper.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from ...days import SensorDay
from ...schema import SchemaLike, SensorSchema, get_schema
from .claims import FALSE, TRUE, UNDECIDED, Claim, ClaimTable, all_claims, claims_by_kind, evaluate_all, evaluate_table
from .day_facts import DayFacts, day_facts
from .statement_diaries import diary_sentences
from .statement_templates import SPLITS, wording_of
from .statement_wordings import (
    CLAUSE_FRAMES,
    CONTRAST_JOINTS,
    JOINTS,
    NOUN_FRAMES,
    NOUN_JOINTS,
    PEOPLE,
    Draws,
    capitalised,
)

ACTIVITY_SHARES = {
    "activity": 0.14, "activity_part": 0.08, "activity_length": 0.04,
    "group": 0.08, "group_part": 0.04, "group_length": 0.02,
}  # fmt: skip
"""Shares of the kinds about activities among single claims; the other kinds have equal shares of the rest."""

NEGATED, COMPOSED, TRUE_OF_A_DAY = 0.10, 0.15, 0.67
"""Shares of negations, of compositions, and of statements chosen to be true of a day of the batch."""

_FREE = 0.4
"""Share of whole sentences among the single claims that have some; templates word the others."""

_LEAST_ACCEPTED = 0.1  # of the drawn claims that are false for no day of the batch
_TRIES = 20  # kinds tried for a claim that is true of a day
_REPEATS = 4  # new wordings tried for a text that the sample already has


@dataclass(frozen=True)
class Statement:
    """A sentence or noun phrase with the claims that it makes.

    Attributes:
        text: The wording.
        key: Identifier of its content, the same for all wordings: `"steps/high & not nap/any"`.
        claims: Its claims; the statement is true of a day if all of them are, and false if one of them is false.
    """

    text: str
    key: str
    claims: tuple[Claim, ...]

    @property
    def kind(self) -> str:
        """Kind of the claim, or `"composition"` if there are several."""
        return self.claims[0].kind if len(self.claims) == 1 else "composition"

    def __call__(self, facts: DayFacts) -> int:
        """Returns 1 if the statement is true of a day, 0 if false, -1 if the day does not decide it."""
        values = [claim(facts) for claim in self.claims]
        return FALSE if FALSE in values else UNDECIDED if UNDECIDED in values else TRUE


def truth(
    statements: Sequence[Statement],
    facts: Sequence[DayFacts],
    visible: np.ndarray | None = None,
    schema: SchemaLike | None = None,
) -> np.ndarray:
    """Compares statements with days.

    Args:
        statements: The statements.
        facts: Facts of the days.
        visible: `(days, channels)` bool: which channels are still visible in the signals, for instance after dropout of
            modalities. Claims about channels that are not visible become undecided. All are visible if None.
        schema: Schema of the channels of `visible`; `"sensorlm-26"` if None.

    Returns:
        `(days, statements)` int8: 1 true, 0 false, -1 undecided.

    Raises:
        ValueError: If `visible` has another shape.
    """
    if not len(statements) or not len(facts):
        return np.zeros((len(facts), len(statements)), dtype=np.int8)
    claims = [claim for statement in statements for claim in statement.claims]
    values = evaluate_table(ClaimTable(claims), np.stack([item.values for item in facts]))
    if visible is not None:
        _hide(values, claims, np.asarray(visible), get_schema(schema if schema is not None else "sensorlm-26"))
    # With undecided between false and true, a conjunction is the minimum.
    rank = np.where(values == TRUE, np.int8(2), np.where(values == UNDECIDED, np.int8(1), np.int8(0)))
    starts = np.cumsum([0, *(len(statement.claims) for statement in statements[:-1])])
    lowest = np.minimum.reduceat(rank, starts, axis=1)
    return np.array([FALSE, UNDECIDED, TRUE], dtype=np.int8)[lowest]


def _hide(values: np.ndarray, claims: Sequence[Claim], visible: np.ndarray, schema: SensorSchema) -> None:
    """Makes claims undecided for days in which none of the channels that they need is visible."""
    if visible.shape != (len(values), len(schema)):
        raise ValueError(
            f"`visible` must have shape ({len(values)}, {len(schema)}), days by channels of schema {schema.name!r}, got"
            f" {visible.shape}."
        )
    by_needs: dict[frozenset[str], list[int]] = {}
    for position, claim in enumerate(claims):
        if claim.needs:
            by_needs.setdefault(claim.needs, []).append(position)
    for needs, positions in by_needs.items():
        columns = [i for i, channel in enumerate(schema) if channel.key in needs or channel.modality in needs]
        hidden = ~visible[:, columns].astype(bool).any(axis=1)
        values[np.ix_(hidden, np.array(positions))] = UNDECIDED


@cache
def _kinds() -> tuple[tuple[str, ...], list[float]]:
    """Kinds and the cumulative sums of their shares."""
    kinds = tuple(claims_by_kind())
    others = [kind for kind in kinds if kind not in ACTIVITY_SHARES]
    rest = (1 - sum(ACTIVITY_SHARES.values())) / len(others)
    return kinds, np.cumsum([ACTIVITY_SHARES.get(kind, rest) for kind in kinds]).tolist()


class StatementBank:
    """Samples statements about a batch of days.

    Args:
        split: `"train"` or `"validation"`. One in ten templates and phrases of every kind is kept for validation, so
            that no wording of one split occurs in the other.

    Examples:
        >>> bank = StatementBank()
        >>> facts = [day_facts(day) for day in days]
        >>> statements = bank.sample(facts, 150, np.random.default_rng(0))
        >>> targets = truth(statements, facts)  # (days, 150): 1 true, 0 false, -1 undecided
    """

    def __init__(self, split: str = "train") -> None:
        if split not in SPLITS:
            raise ValueError(f"`split` must be one of {', '.join(SPLITS)}, got {split!r}.")
        self.split = split

    def sample(self, facts: Sequence[DayFacts], count: int, rng: np.random.Generator) -> list[Statement]:
        """Samples statements: about two thirds are true of at least one of the days, the rest are drawn at random.

        Kinds are balanced, with a larger share of activities; a tenth are negations, a seventh compositions of two or
        three claims. Among the claims that are true of a day, those that are true of fewer days are preferred.

        Args:
            facts: Facts of the days; at least one.
            count: Number of statements.
            rng: Generator of all choices.

        Returns:
            `count` statements, different if possible.

        Raises:
            ValueError: If there is no day, or `count` is negative.
        """
        if not len(facts):
            raise ValueError("`facts` is empty; give the facts of at least one day.")
        if count < 0:
            raise ValueError(f"`count` must be at least 0, got {count}.")
        sampler = _Sampler(facts, self.split, Draws(rng))
        statements: list[Statement] = []
        texts: set[str] = set()
        for _ in range(count):
            statement = sampler.statement()
            for _ in range(_REPEATS):
                if statement.text not in texts:
                    break
                statement = sampler.statement()
            texts.add(statement.text)
            statements.append(statement)
        return statements

    def word(self, claim: Claim, rng: np.random.Generator) -> Statement:
        """Words one claim.

        Raises:
            ValueError: If the claim has no wordings.
        """
        return _write((claim,), self.split, Draws(rng))


class _Sampler:
    """Draws statements for a batch of days."""

    def __init__(self, facts: Sequence[DayFacts], split: str, draws: Draws) -> None:
        self._split, self._draws = split, draws
        self._values = evaluate_all(facts)
        holds = self._values == TRUE
        self._rarity = 1 / np.maximum(holds.sum(axis=0), 1)
        # What is true of nearly every day separates few of them.
        self._accepted = np.minimum(_LEAST_ACCEPTED + 4 * (self._values == FALSE).mean(axis=0), 1.0).tolist()
        self._true: dict[tuple[int, str, int], tuple[list[int], list[float]]] = {}

    def statement(self) -> Statement:
        draws = self._draws
        day = int(draws.number() * len(self._values)) if draws.number() < TRUE_OF_A_DAY else None
        number = draws.number()
        if number < COMPOSED:
            count = 2 if draws.number() < 0.75 else 3
            claims: list[Claim] = []
            for _ in range(count):
                # The false half of a random composition is seldom the first.
                chosen = self._claim(day, draws.number() < NEGATED * 2, {c.kind.split("_")[0] for c in claims})
                if chosen is not None:
                    claims.append(chosen)
            return _write(tuple(claims), self._split, draws)
        chosen = self._claim(day, number > 1 - NEGATED, set())
        assert chosen is not None
        return _write((chosen,), self._split, draws)

    def _claim(self, day: int | None, negated: bool, without: set[str]) -> Claim | None:
        """Draws a claim that is true of a day, or any if there is no day; of another family of kinds than `without`."""
        kinds, shares = _kinds()
        claims = all_claims()
        wanted = FALSE if negated else TRUE
        for _ in range(_TRIES):
            kind = kinds[min(bisect_right(shares, self._draws.number()), len(kinds) - 1)]
            if kind.split("_")[0] in without:
                continue
            positions = claims_by_kind()[kind]
            if day is None:
                chosen = self._draws.choose(positions)
            else:
                found, sums = self._holding(day, kind, wanted)
                if not found:
                    continue
                chosen = found[min(bisect_right(sums, self._draws.number() * sums[-1]), len(found) - 1)]
                if not negated and self._draws.number() > self._accepted[chosen]:
                    continue
            return claims[chosen].negate() if negated else claims[chosen]
        if without:
            return None
        chosen = self._draws.choose(claims_by_kind()[kinds[0]])
        return claims[chosen].negate() if negated else claims[chosen]

    def _holding(self, day: int, kind: str, wanted: int) -> tuple[list[int], list[float]]:
        """Claims of a kind that have a value on a day, with cumulative weights."""
        key = (day, kind, wanted)
        if key not in self._true:
            positions = np.array(claims_by_kind()[kind])
            found = positions[self._values[day, positions] == wanted]
            weights = self._rarity[found] if wanted == TRUE else np.ones(len(found))
            self._true[key] = found.tolist(), np.cumsum(weights).tolist()
        return self._true[key]


def _write(claims: tuple[Claim, ...], split: str, draws: Draws, framed: bool = True) -> Statement:
    """Words claims as one statement."""
    if framed and len(claims) == 1 and not claims[0].negated:
        sentences = diary_sentences(claims[0], split)
        if sentences and draws.number() < _FREE:
            return Statement(draws.choose(sentences), claims[0].key, claims)
    person = draws.choose(PEOPLE)
    wordings = [wording_of(claim) for claim in claims]
    forms = [wording.forms(split, claim.negated) for wording, claim in zip(wordings, claims, strict=True)]
    noun = draws.choose(forms[0])
    if any(noun not in form for form in forms):
        noun = not noun
    texts = [
        wording.write(split, claim.negated, noun, person, draws)
        for wording, claim, form in zip(wordings, claims, forms, strict=True)
        if noun in form
    ]
    claims = tuple(claim for claim, form in zip(claims, forms, strict=True) if noun in form)
    text = texts[0]
    for position, other in enumerate(texts[1:], start=1):
        contrast = claims[position].negated != claims[position - 1].negated and position == len(texts) - 1
        joints = NOUN_JOINTS if noun else CONTRAST_JOINTS if contrast and len(texts) == 2 else JOINTS
        text = _fit(draws.choose(joints), a=text, b=other)
    if framed:
        text = _fit(draws.choose(NOUN_FRAMES if noun else CLAUSE_FRAMES), c=text)
    return Statement(text, " & ".join(claim.key for claim in claims), claims)


def _fit(pattern: str, **parts: str) -> str:
    """Fills a frame; an upper-case name stands for the part with a capital."""
    for name, part in parts.items():
        pattern = pattern.replace("{" + name + "}", part).replace("{" + name.upper() + "}", capitalised(part))
    return pattern


def qualitative_caption(
    day: SensorDay | DayFacts,
    rng_or_seed: np.random.Generator | int = 0,
    sentences: int = 3,
    *,
    split: str = "train",
    log_complete: bool = True,
    cropped: bool = False,
) -> str:
    """Writes a short paragraph of statements that are true of a day.

    Args:
        day: The day, or its facts.
        rng_or_seed: Generator or seed of all choices.
        sentences: Number of sentences; fewer if fewer kinds of claims are known to be true of the day.
        split: Split of the wordings.
        log_complete: As in [`day_facts`]; ignored if `day` are facts.
        cropped: As in [`day_facts`]; ignored if `day` are facts.

    Returns:
        The paragraph; empty if nothing is known about the day.

    Raises:
        ValueError: If `sentences` is below 1 or the split is unknown.
    """
    if sentences < 1:
        raise ValueError(f"`sentences` must be at least 1, got {sentences}.")
    if split not in SPLITS:
        raise ValueError(f"`split` must be one of {', '.join(SPLITS)}, got {split!r}.")
    facts = day if isinstance(day, DayFacts) else day_facts(day, log_complete=log_complete, cropped=cropped)
    rng = rng_or_seed if isinstance(rng_or_seed, np.random.Generator) else np.random.default_rng(rng_or_seed)
    draws = Draws(rng, 256)
    values = evaluate_all([facts])[0]
    kinds, shares = _kinds()
    weights = np.diff(shares, prepend=0.0)
    person = draws.choose(PEOPLE)
    texts: list[str] = []
    families: set[str] = set()
    # Drawing kinds in the order of an exponential race is drawing them without replacement by their shares.
    race = [-np.log(max(draws.number(), 1e-12)) / weight for weight in weights]
    for kind in (kinds[i] for i in np.argsort(race)):
        true = [position for position in claims_by_kind()[kind] if values[position] == TRUE]
        if not true or kind.split("_")[0] in families:
            continue
        claim = all_claims()[draws.choose(true)]
        wording = wording_of(claim)
        if False not in wording.forms(split, False):
            continue
        families.add(kind.split("_")[0])
        texts.append(capitalised(wording.write(split, False, False, person, draws)) + ".")
        if len(texts) == sentences:
            break
    return " ".join(texts)
