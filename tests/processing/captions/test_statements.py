"""Statements: sampling, truth, wordings of the two splits, and the qualitative caption."""

from __future__ import annotations

import re

import numpy as np
import pytest

from sensorlm_hf.data.simulate import simulate_days
from sensorlm_hf.evaluation.held_out_sentences import ACTIVITY_SENTENCES, CONCEPT_PAIRS
from sensorlm_hf.processing.captions.activity_phrases import ACTIVITY_GROUPS, ACTIVITY_PHRASES
from sensorlm_hf.processing.captions.claims import FALSE, TRUE, UNDECIDED, Claim, all_claims, claims_by_kind
from sensorlm_hf.processing.captions.day_facts import FACT_NAMES, DayFacts, day_facts
from sensorlm_hf.processing.captions.statement_templates import SPLITS, wording_of
from sensorlm_hf.processing.captions.statement_wordings import Draws, expand, parse, tidy
from sensorlm_hf.processing.captions.statements import Statement, StatementBank, qualitative_caption, truth
from sensorlm_hf.schema import get_schema


@pytest.fixture(scope="module")
def facts() -> list[DayFacts]:
    return [day_facts(day) for day in simulate_days(32, seed=8, days_per_person=2)]


@pytest.fixture(scope="module")
def sampled(facts: list[DayFacts]) -> list[Statement]:
    return StatementBank().sample(facts, 1500, np.random.default_rng(0))


def claim_named(key: str) -> Claim:
    return next(claim for claim in all_claims() if claim.key == key)


def test_truth_matches_loop_over_days_and_statements(facts: list[DayFacts], sampled: list[Statement]) -> None:
    expected = [[statement(day) for statement in sampled] for day in facts]
    found = truth(sampled, facts)
    assert found.dtype == np.int8
    assert found.tolist() == expected
    assert truth([], facts).shape == (32, 0)
    assert truth(sampled, []).shape == (0, 1500)


def test_a_claim_is_true_in_its_range_false_outside_and_undecided_between() -> None:
    claim = Claim("steps", "high", "steps", (8000, np.inf), (6000, np.inf))
    for value, expected in ((9000, TRUE), (8000, TRUE), (7000, UNDECIDED), (5999, FALSE), (np.nan, UNDECIDED)):
        day = DayFacts.from_dict({"steps": value})
        assert claim(day) == expected
        opposite = {TRUE: FALSE, FALSE: TRUE, UNDECIDED: UNDECIDED}[expected]
        assert claim.negate()(day) == opposite
        assert claim.negate().negate() == claim
    assert claim.negate().key == "not steps/high"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((TRUE, TRUE), TRUE),
        ((TRUE, FALSE), FALSE),
        ((UNDECIDED, FALSE), FALSE),
        ((FALSE, UNDECIDED), FALSE),
        ((UNDECIDED, TRUE), UNDECIDED),
    ],
)
def test_a_composition_is_true_if_all_its_claims_are_and_false_if_one_is(
    values: tuple[int, int], expected: int
) -> None:
    steps = Claim("steps", "high", "steps", (1, np.inf), (1, np.inf))
    nap = Claim("nap", "any", "nap_minutes", (1, np.inf), (1, np.inf))
    numbers = {TRUE: 1.0, FALSE: 0.0, UNDECIDED: np.nan}
    day = DayFacts.from_dict({"steps": numbers[values[0]], "nap_minutes": numbers[values[1]]})
    statement = Statement("many steps and a nap", "steps/high & nap/any", (steps, nap))
    assert statement(day) == expected
    assert truth([statement], [day]).tolist() == [[expected]]
    assert statement.kind == "composition"


def test_claims_about_channels_that_are_not_visible_are_undecided(facts: list[DayFacts]) -> None:
    schema = get_schema("sensorlm-26")
    bank, rng = StatementBank(), np.random.default_rng(0)
    pulse = bank.word(claim_named("heart_rate/high"), rng)
    run = bank.word(claim_named("activity/running"), rng)
    both = Statement("both", "both", (*pulse.claims, *run.claims))
    visible = np.ones((len(facts), len(schema)), dtype=bool)
    complete = truth([pulse, run, both], facts)
    assert (truth([pulse, run, both], facts, visible) == complete).all()
    visible[::2, schema.index("HR")] = False
    found = truth([pulse, run, both], facts, visible, schema)
    assert (found[::2, 0] == UNDECIDED).all()
    assert (found[1::2] == complete[1::2]).all()
    assert (found[:, 1] == complete[:, 1]).all()
    assert (found[::2, 2] == np.where(complete[::2, 1] == FALSE, FALSE, UNDECIDED)).all()
    assert set(np.unique(found)) <= {TRUE, FALSE, UNDECIDED}


def test_invalid_arguments_raise(facts: list[DayFacts]) -> None:
    with pytest.raises(ValueError, match=r"`split` must be one of train, validation, got 'test'"):
        StatementBank("test")
    with pytest.raises(ValueError, match="at least one day"):
        StatementBank().sample([], 3, np.random.default_rng(0))
    with pytest.raises(ValueError, match="at least 0, got -1"):
        StatementBank().sample(facts, -1, np.random.default_rng(0))
    statements = StatementBank().sample(facts, 3, np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"`visible` must have shape \(32, 26\).*got \(3, 26\)"):
        truth(statements, facts, np.ones((3, 26), dtype=bool))
    with pytest.raises(ValueError, match="`sentences` must be at least 1, got 0"):
        qualitative_caption(facts[0], 0, 0)
    with pytest.raises(ValueError, match="unknown fact 'pace'"):
        Claim("pace", "high", "pace", (0, 1), (0, 1))
    with pytest.raises(ValueError, match="must contain `true`"):
        Claim("steps", "high", "steps", (0, 1), (0.5, 1))
    with pytest.raises(ValueError, match="has no wordings"):
        wording_of(Claim("gap", "huge", "longest_gap", (0, 1), (0, 1)))
    with pytest.raises(ValueError, match="unbalanced"):
        parse("a [b|c")
    with pytest.raises(ValueError, match="within brackets"):
        parse("a [b|[c|d]]")
    with pytest.raises(ValueError, match="twice"):
        parse("a\na")
    with pytest.raises(ValueError, match="unknown slot 'X'"):
        expand("a {X}", {}, Draws(np.random.default_rng(0)))


def test_samples_depend_on_the_generator_only(facts: list[DayFacts], sampled: list[Statement]) -> None:
    again = StatementBank().sample(facts, 1500, np.random.default_rng(0))
    assert again == sampled
    assert StatementBank().sample(facts, 1500, np.random.default_rng(1)) != sampled


def test_samples_are_balanced(facts: list[DayFacts], sampled: list[Statement]) -> None:
    single = [statement for statement in sampled if len(statement.claims) == 1]
    assert 0.10 < 1 - len(single) / len(sampled) < 0.20, "compositions"
    assert 0.06 < np.mean([statement.claims[0].negated for statement in single]) < 0.16
    doings = [statement.kind.startswith(("activity", "group")) for statement in single]
    assert 0.3 < np.mean(doings) < 0.5
    kinds = {statement.kind for statement in single}
    assert kinds == set(claims_by_kind())
    found = truth(sampled, facts)
    assert (found == TRUE).any(axis=0).mean() > 0.66
    assert 0.15 < (found == TRUE).mean() < 0.5
    assert (found == FALSE).mean() > 0.3
    assert len({statement.text for statement in sampled}) > 0.98 * len(sampled)


def test_texts_are_clean(sampled: list[Statement]) -> None:
    for statement in sampled:
        text = statement.text
        assert not re.search(r"[{}\[\]|\0]|\(n\)|  |\.\.| [,.;:!]|^\s|\s$", text), text
        assert not re.search(r"\b[Aa] [aeio]|\b[Aa]n [bcdfgjkpqtvwz]", text), text


@pytest.mark.parametrize("kind", sorted(claims_by_kind()))
def test_every_kind_has_many_wordings_and_its_splits_share_none(kind: str) -> None:
    claims = [all_claims()[position] for position in claims_by_kind()[kind]]
    texts: dict[str, set[str]] = {split: set() for split in SPLITS}
    draws = Draws(np.random.default_rng(0))
    person = ("the wearer", "the wearer's", "was")
    for number in range(1500):
        claim = claims[number % len(claims)]
        for split in SPLITS:
            wording = wording_of(claim)
            denies = number // len(claims) % 3 == 0
            forms = wording.forms(split, denies)
            assert forms, f"{claim.key}: nothing in {split} for denies={denies}"
            texts[split].add(wording.write(split, denies, draws.choose(forms), person, draws))
    assert len(texts["train"]) >= 100
    assert len(texts["validation"]) >= 5
    assert not texts["train"] & texts["validation"]


def test_splits_share_no_text(facts: list[DayFacts], sampled: list[Statement]) -> None:
    validation = StatementBank("validation").sample(facts, 1500, np.random.default_rng(0))
    assert not {statement.text for statement in validation} & {statement.text for statement in sampled}


def test_every_activity_can_be_stated_and_denied() -> None:
    bank, rng = StatementBank(), np.random.default_rng(0)
    for name in ACTIVITY_PHRASES:
        claim = claim_named(f"activity/{name}")
        done = DayFacts.from_dict({f"minutes:{name}": 40})
        not_done = DayFacts.from_dict({f"minutes:{name}": 0})
        for asserted, expected in ((claim, (TRUE, FALSE)), (claim.negate(), (FALSE, TRUE))):
            statement = bank.word(asserted, rng)
            assert (statement(done), statement(not_done)) == expected


def test_articles_and_spaces_are_tidied() -> None:
    assert tidy(" a(n) elevated  pulse , a(n) high one .") == "an elevated pulse, a high one."
    assert tidy("A(n) hour, a(n) usual day, a(n) unusual day") == "An hour, a usual day, an unusual day"


def test_the_caption_has_true_sentences_of_different_kinds() -> None:
    day = simulate_days(1, seed=4)[0]
    caption = qualitative_caption(day, 3)
    assert caption == qualitative_caption(day, np.random.default_rng(3))
    assert caption == qualitative_caption(day_facts(day), 3)
    assert caption != qualitative_caption(day, 4)
    assert len(re.findall(r"\.(?: |$)", caption)) == 3
    assert qualitative_caption(DayFacts(np.full(len(FACT_NAMES), np.nan))) == ""


def test_no_training_text_is_an_evaluation_sentence(sampled: list[Statement]) -> None:
    def plain(text: str) -> str:
        return " ".join(re.findall(r"[a-z]+", text.lower()))

    held_out = {plain(text) for texts in ACTIVITY_SENTENCES.values() for text in texts}
    held_out |= {plain(text) for pair in CONCEPT_PAIRS for text in (pair.high, pair.low)}
    phrases = [phrase for phrases in ACTIVITY_PHRASES.values() for phrase in phrases.all]
    phrases += [phrase for group in ACTIVITY_GROUPS for phrase in group.phrases.all]
    assert not held_out & {plain(text) for text in (*phrases, *(statement.text for statement in sampled))}
