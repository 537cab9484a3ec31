"""Token budgets with the estimate and with tokenizers; paraphrasing; the `datasets.Dataset.map` function."""

from __future__ import annotations

import logging
import pickle
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from caption_days import make_days
from datasets import Dataset
from datasets.fingerprint import Hasher
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast, TextGenerationPipeline

from sensorlm_hf.days import Event, SensorDay
from sensorlm_hf.processing.captions import (
    CAPTION_KEYS,
    TOKEN_BUDGETS,
    CaptionBuilder,
    Paraphraser,
    estimate_tokens,
    get_wording,
    numbers_in,
)
from sensorlm_hf.processing.captions.budget import Sentence, compose, fit, token_counter

DAYS = make_days(16)
LANGUAGES = ("en", "de")


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    """A byte-level BPE trained on captions with split digits, like the package's tokenizer."""
    captions = [c for code in LANGUAGES for cs in CaptionBuilder(language=code).columns(DAYS).values() for c in cs]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(captions, trainers.BpeTrainer(vocab_size=2000, initial_alphabet=alphabet))
    return tokenizer


def test_eight_keys_have_budgets_of_the_release() -> None:
    assert len(CAPTION_KEYS) == 8
    assert [TOKEN_BUDGETS[f"{key}_caption"] for key in (
        "low_level", "middle_level", "high_level_summary", "high_level_all",
        "middle_low", "high_low", "high_middle", "high_middle_low",
    )] == [512, 512, 256, 1024, 1024, 1024, 512, 1024]  # fmt: skip


def test_estimate_counts_digits_and_punctuation_individually() -> None:
    assert estimate_tokens("") == 0
    assert estimate_tokens("HR 74.7, -5.0") == 1 + 1 + 4 + 1 + 1 + 4
    assert estimate_tokens("deviation") == 2
    assert estimate_tokens("µ_é") == 2 + 1 + 2


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("max_tokens", [16, 40, 128, 300, None])
def test_captions_stay_within_tokenizer_budget(tokenizer: Tokenizer, language: str, max_tokens: int | None) -> None:
    build = CaptionBuilder(tokenizer=tokenizer, max_tokens=max_tokens, language=language)
    whole = CaptionBuilder(max_tokens=100_000, language=language)
    headings = "|".join(build.wording.groups.values())
    for key in CAPTION_KEYS:
        for short, full in zip(build.batch(DAYS, keys=key), whole.batch(DAYS, keys=key), strict=True):
            assert len(tokenizer.encode(short).ids) <= (max_tokens or TOKEN_BUDGETS[key])
            if "high" not in key:
                position = 0  # sentences are complete and in the order of the full caption
                for sentence in re.split(r"(?<=\.) ", short):
                    bare = re.sub(rf"^({headings}): ", "", sentence)
                    position = full.index(bare, position) + len(bare) if bare else position
    assert all(build.batch(DAYS)) or max_tokens == 16


@pytest.mark.parametrize("language", LANGUAGES)
def test_estimate_is_an_upper_bound_for_caption_tokenizer(tokenizer: Tokenizer, language: str) -> None:
    for key in CAPTION_KEYS:
        for caption in CaptionBuilder(key=key, language=language).batch(DAYS):
            assert len(tokenizer.encode(caption).ids) <= estimate_tokens(caption)


def test_counting_function() -> None:
    build = CaptionBuilder(key="middle_low_caption", tokenizer=lambda text: len(text.split()), max_tokens=60)
    counts = [len(caption.split()) for caption in build.batch(DAYS)]
    assert max(counts) <= 60
    assert np.mean(counts) > 40


def test_least_important_sentences_are_dropped_first() -> None:
    section = (0, "Heart")
    sentences = [
        Sentence(section, 3.0, 10, "One."),
        Sentence((1, "Sleep"), 20.0, 10, "Two."),
        Sentence(section, 4.0, 10, "Three."),
        Sentence((-1, None), 4.0, 10, "Four."),
    ]
    assert compose(sentences) == "Heart: One. Sleep: Two. Heart: Three. Four."
    assert fit(sentences, 100) == compose(sentences)
    assert fit(sentences, 40) == "Heart: One. Three. Four."
    assert fit(sentences, 30) == "Heart: One. Three."  # with equal weights, the last is dropped first
    assert fit(sentences, 14) == "Heart: One."
    assert fit(sentences, 5) == ""
    assert fit([], 5) == ""
    assert fit(sentences, 3, lambda text: len(text.split())) == "Heart: One. Three."


def test_random_channels_are_dropped_before_others() -> None:
    wide = CaptionBuilder(key="low_level_caption", max_tokens=100_000)
    tight = CaptionBuilder(key="low_level_caption", max_tokens=400)
    fixed = [c.label for c in wide.schema if c.in_every_caption]
    labels = sorted((c.label for c in wide.schema), key=len, reverse=True)

    def told(caption: str) -> set[str]:
        found = set()
        for label in labels:
            if label.lower() in caption.lower():
                found.add(label)
                caption = re.sub(re.escape(label), "", caption, flags=re.IGNORECASE)
        return found

    shortened = 0
    for long, short in zip(wide.batch(DAYS), tight.batch(DAYS), strict=True):
        dropped = told(long) - told(short)
        shortened += bool(dropped)
        if dropped & set(fixed):
            assert told(short) <= set(fixed)
    assert shortened


def test_long_summary_mentions_fewer_events() -> None:
    labels = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"]
    events = [Event("activity", f"{label} training", 100 * i, 100 * i + 90 - i) for i, label in enumerate(labels)]
    events += [Event("mood", f"mood {c}", 5, 5) for c in "abcdef"]
    day = SensorDay(np.zeros((1440, 26)), DAYS[0].start, "p", "sensorlm-26", tuple(events))
    sizes = []
    for budget in (16, 20, 30, 60, 200):
        caption = CaptionBuilder(max_tokens=budget)(day)
        assert estimate_tokens(caption) + 2 <= budget
        assert "alpha training" in caption.lower()
        sizes.append(len(caption))
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]


# Paraphrasing


def test_numbers_are_parsed_with_signs_and_times() -> None:
    assert numbers_in("From -5.0 to 12.5 at 08:15 (3 times, minutes 4 and 4).") == {
        "-5.0": 1, "12.5": 1, "08:15": 1, "3": 1, "4": 2,
    }  # fmt: skip
    assert numbers_in("range 5-10, −3") == {"5": 1, "10": 1, "-3": 1}


def test_paraphrases_that_change_numbers_are_rejected() -> None:
    build = CaptionBuilder(key="low_level_caption", paraphraser=lambda text: text.replace("averaged", "was on average"))
    plain = CaptionBuilder(key="low_level_caption", max_tokens=500)
    assert build.paraphraser is not None
    captions = build.batch(DAYS[:4])
    assert all("averaged" not in caption for caption in captions)
    assert (build.paraphraser.accepted, build.paraphraser.rejected) == (4, 0)
    for spoil in (
        lambda text: re.sub(r"\d", "1", text),
        lambda text: text + " 42",
        lambda text: text.replace("-", ""),
        lambda text: "",
        lambda text: text + " very" * 600,
    ):
        build = CaptionBuilder(key="low_level_caption", max_tokens=500, paraphraser=spoil)
        assert build.batch(DAYS[:4]) == plain.batch(DAYS[:4])
        assert build.paraphraser is not None
        assert (build.paraphraser.accepted, build.paraphraser.rejected) == (0, 4)
    with pytest.raises(TypeError, match="must return text"):
        CaptionBuilder(paraphraser=lambda text: 5)(DAYS[0])


def test_token_counting_does_not_warn(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Texts are counted before they are truncated, for which a tokenizer would warn that they are too long."""
    monkeypatch.setattr(logging.getLogger("transformers"), "propagate", True)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=8)
    count = token_counter(fast)
    assert count is not None
    assert count("heart rate rose between minutes 40 and 240") > 8
    assert not caplog.records


CAPTION = "The person felt calm at minute 600."
PARAPHRASE = "At minute 600, calm was what the person felt."


def tiny_pipeline(text: str, chat_template: str | None = None) -> TextGenerationPipeline:
    """A text-generation pipeline with a two-layer byte model overfitted to one text."""
    alphabet = {character: i for i, character in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    alphabet["<end>"] = len(alphabet)
    bytes_only = Tokenizer(models.BPE(vocab=alphabet, merges=[]))
    bytes_only.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bytes_only.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=bytes_only, pad_token="<end>", eos_token="<end>")
    fast.chat_template = chat_template
    torch.manual_seed(0)
    size = {"n_positions": 256, "n_embd": 48, "n_layer": 2, "n_head": 2, "vocab_size": len(alphabet)}
    model = GPT2LMHeadModel(GPT2Config(**size, eos_token_id=256, bos_token_id=256, pad_token_id=256))
    model.train()
    ids = torch.tensor([[*fast.encode(text), 256]])
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    for _ in range(150):
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if loss < 0.02:
            break
    model.eval()
    return TextGenerationPipeline(model=model, tokenizer=fast, max_new_tokens=60, do_sample=False)


@pytest.mark.parametrize("chat", [False, True])
def test_paraphrasing_with_text_generation_pipeline(chat: bool) -> None:
    asked = f"user: {CAPTION}\nassistant: " if chat else f"Say it otherwise: {CAPTION}\n"
    template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\nassistant: {% endfor %}" if chat else None
    pipe = tiny_pipeline(asked + PARAPHRASE, template)
    prompt = "{caption}" if chat else "Say it otherwise: {caption}\n"
    only = replace(get_wording("en"), moods=("The person felt {label} at {time}.",))
    build = CaptionBuilder(key="high_level_all_caption", templates=only, paraphraser=Paraphraser(pipe, prompt))
    assert build.paraphraser is not None
    days = [
        SensorDay(np.zeros((1440, 26)), DAYS[0].start, "p", "sensorlm-26", (Event("mood", "calm", minute, minute),))
        for minute in (600, 700)
    ]
    # For minute 700 the model still generates 600, so the template wording is kept.
    assert build.batch(days) == [PARAPHRASE, CAPTION.replace("600", "700")]
    assert (build.paraphraser.accepted, build.paraphraser.rejected) == (1, 1)
    copied = pickle.loads(pickle.dumps(build.paraphraser))
    assert (copied.prompt, copied.accepted, copied.rejected) == (prompt, 0, 0)


def test_paraphraser_validates_prompt() -> None:
    with pytest.raises(ValueError, match="caption"):
        Paraphraser(str, prompt="Rewrite.")


# datasets


def rows_of(days: list[SensorDay]) -> list[dict[str, Any]]:
    return [{**day.to_row(), "values": day.values.tolist()} for day in days]


def test_map_does_not_depend_on_batch_size() -> None:
    days = DAYS[:6]
    dataset = Dataset.from_list([{k: v for k, v in row.items() if k != "labels"} for row in rows_of(days)])
    build = CaptionBuilder(time_format="clock", seed=4)
    keys = ("high_level_all_caption", "middle_low_caption")
    expected = build.columns(days, keys)
    for batch_size in (1, 4):
        mapped = dataset.with_format("numpy").map(build.mapper(keys), batched=True, batch_size=batch_size)
        for key in keys:
            assert list(mapped.with_format(None)[key]) == expected[key]
    assert set(mapped.column_names) == {*dataset.column_names, *keys}


def test_map_fingerprint_depends_on_caption_options() -> None:
    build = CaptionBuilder(seed=1)
    base = Hasher.hash(build.mapper())
    build.batch(DAYS[:3])
    assert Hasher.hash(build.mapper()) == base
    assert Hasher.hash(CaptionBuilder(seed=1).mapper()) == base
    others = [
        CaptionBuilder(seed=2).mapper(),
        CaptionBuilder(seed=1, language="de").mapper(),
        CaptionBuilder(seed=1, units=True).mapper(),
        CaptionBuilder("sensorlm-34", seed=1).mapper(),
        CaptionBuilder(seed=1).mapper(["low_level_caption"]),
    ]
    assert len({base, *map(Hasher.hash, others)}) == 6


def test_sample_id_column_names_the_rows() -> None:
    build = CaptionBuilder(key="low_level_caption")
    rows = {"values": [day.values for day in DAYS[:2]], "sample_id": ["a", "b"]}
    assert build.mapper()(rows) == {"low_level_caption": [build(DAYS[0], "a"), build(DAYS[1], "b")]}
    with pytest.raises(ValueError, match="`values` column"):
        build.mapper()({"x": [1]})
