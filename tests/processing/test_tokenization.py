from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer, BertTokenizer, GPT2Tokenizer, PreTrainedTokenizerFast

from sensorlm_hf.processing import (
    SensorLMFeatureExtractor,
    SensorLMProcessor,
    extend_tokenizer,
    load_text_tokenizer,
    train_tokenizer,
)


def captions(n: int = 400) -> list[str]:
    rng = np.random.default_rng(5)
    lines = []
    for mean, low, high, minute in rng.uniform(0, 100, (n, 4)):
        lines.append(
            f"The mean heart rate was {mean:.1f} bpm, with a maximum of {high:.1f} and a minimum of {low:.1f};"
            f" an increasing trend of skin temperature from minute {minute * 14:.0f}. Went running (35 min), slept."
        )
    return lines


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(captions(), vocab_size=600)


def test_special_tokens_and_padding(tokenizer):
    assert tokenizer.convert_tokens_to_ids(["<pad>", "<bos>", "<eos>"]) == [0, 1, 2]
    assert (tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id) == (0, 1, 2)
    assert tokenizer.unk_token is None
    assert len(tokenizer) <= 600
    assert sorted(tokenizer.get_vocab().values()) == list(range(len(tokenizer)))
    out = tokenizer(["short", "a longer text, of several words."], padding=True, return_tensors="np")
    assert set(out) == {"input_ids", "attention_mask"}
    for ids, seen in zip(out["input_ids"], out["attention_mask"], strict=True):
        n = seen.sum()
        assert (ids[0], ids[n - 1]) == (1, 2)
        assert (ids[n:] == 0).all()
        assert (ids[:n] != 0).all()
        assert seen[:n].all()  # right padding


def test_digits_are_single_tokens(tokenizer):
    vocabulary = tokenizer.get_vocab()
    assert not [token for token in vocabulary if sum(c.isdigit() for c in token) > 1]
    assert not [token for token in vocabulary if any(c in "0123456789" for c in token) and token.strip("Ġ0123456789")]
    pieces = tokenizer.tokenize("72.4 bpm from 1080")
    assert pieces[:4] == ["7", "2", ".", "4"]
    assert pieces[-4:] == ["Ġ1", "0", "8", "0"]
    ids = [tokenizer(text)["input_ids"] for text in ("27.6", "276", "2 76", "-27.6", "27,6")]
    assert len({tuple(row) for row in ids}) == 5


@pytest.mark.parametrize(
    "text",
    [
        "The mean heart rate was 27.6 bpm, not 276.",
        "  spaces   inside  and after \n\ttabs ",
        "EDA: 4.18 µS; 31.7 °C; HRV (SDNN) = 45 ms²; ±5 %",
        "Ärger, naïve café, 東京 🏃‍♀️ ½ ١٢٣",
        "isn't it? don't! o'clock's",
        "wrote <eos> and <pad> in a diary <bos>",
        "",
        "0",
        "\x00\x7f",
    ],
)
def test_lower_case_text_round_trips_exactly(tokenizer, text):
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.decode(ids, skip_special_tokens=True) == text.lower()
    assert tokenizer.decode(ids) == f"<bos>{text.lower()}<eos>"
    assert ids[1:-1].count(2) == 0


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_text_round_trips(tokenizer, text):
    text = unicodedata.normalize("NFC", text.lower())
    # Some letters have no stable lower case or composed form ("ǰ" with dots): only fixed points are checked.
    if unicodedata.normalize("NFC", text.lower()) != text or tokenizer.backend_tokenizer.normalizer.normalize_str(text) != text:  # fmt: skip  # noqa: E501
        return
    assert tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True) == text


def test_batched_captions_round_trip(tokenizer):
    texts = captions(50)
    ids = tokenizer(texts, padding=True)["input_ids"]
    assert tokenizer.batch_decode(ids, skip_special_tokens=True) == [text.lower() for text in texts]


def test_truncation_keeps_bos_and_eos():
    tokenizer = train_tokenizer(captions(50), vocab_size=400, max_length=16)
    assert tokenizer.model_max_length == 16
    ids = tokenizer(captions(1)[0], truncation=True)["input_ids"]
    assert len(ids) == 16
    assert (ids[0], ids[-1]) == (1, 2)
    assert len(tokenizer(captions(1)[0], truncation=True, max_length=8)["input_ids"]) == 8


def test_words_become_few_tokens(tokenizer):
    assert tokenizer.tokenize(" heart rate") == ["Ġheart", "Ġrate"]
    assert tokenizer.tokenize(" HEART RATE") == ["Ġheart", "Ġrate"]
    # At the byte level, a text would have as many tokens as characters.
    mean = np.mean([len(tokenizer(text)["input_ids"]) for text in captions(50)])
    assert mean < 0.5 * np.mean([len(text) for text in captions(50)])


def test_save_and_load(tmp_path, tokenizer):
    tokenizer.save_pretrained(tmp_path)
    for loaded in (AutoTokenizer.from_pretrained(tmp_path), PreTrainedTokenizerFast.from_pretrained(tmp_path)):
        assert isinstance(loaded, PreTrainedTokenizerFast)
        assert len(loaded) == len(tokenizer)
        assert loaded.model_max_length == tokenizer.model_max_length
        assert loaded.padding_side == "right"
        text = "Mean 27.6 bpm <eos> µS"
        assert loaded(text)["input_ids"] == tokenizer(text)["input_ids"]
        assert loaded.decode(loaded(text)["input_ids"], skip_special_tokens=True) == text.lower()
        assert set(loaded(text)) == {"input_ids", "attention_mask"}


SCRIPT = """
import sys, json
from sensorlm_hf.processing.tokenization import train_tokenizer
texts = json.load(open(sys.argv[1]))
train_tokenizer(iter(texts), vocab_size=600).save_pretrained(sys.argv[2])
"""


def test_training_is_deterministic(tmp_path, tokenizer):
    (tmp_path / "texts.json").write_text(json.dumps(captions()))
    digests = set()
    tokenizer.save_pretrained(tmp_path / "here")
    for name, parallel, seed in [("one", "true", "1"), ("two", "false", "2")]:
        subprocess.run(
            [sys.executable, "-c", SCRIPT, tmp_path / "texts.json", tmp_path / name],
            env={**os.environ, "TOKENIZERS_PARALLELISM": parallel, "PYTHONHASHSEED": seed},
            check=True,
        )
    for name in ("here", "one", "two"):
        files = sorted(Path(tmp_path / name).glob("*.json"))
        assert [file.name for file in files] == ["tokenizer.json", "tokenizer_config.json"]
        digests.add(hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest())
    assert len(digests) == 1


def test_small_corpus_gives_small_vocabulary():
    assert len(train_tokenizer(["abc"], vocab_size=4096)) == 259


@pytest.mark.parametrize(
    ("texts", "options", "error", "match"),
    [
        ("a single text", {}, TypeError, "iterable of strings, got str"),
        (None, {}, TypeError, "got NoneType"),
        (["a", 3], {}, TypeError, r"texts\[1\] must be a string, got int"),
        (["a", None], {}, TypeError, r"texts\[1\]"),
        ([], {}, ValueError, "no text"),
        (["", "  "], {}, ValueError, "no text"),
        (["a"], {"vocab_size": 258}, ValueError, "`vocab_size` must be an integer of at least 259"),
        (["a"], {"max_length": 2}, ValueError, "`max_length`"),
        (["a"], {"min_frequency": 0}, ValueError, "`min_frequency`"),
        (["a"], {"vocab_size": True}, ValueError, "`vocab_size`"),
    ],
)
def test_invalid_input_raises(texts, options, error, match):
    with pytest.raises(error, match=match):
        train_tokenizer(texts, **options)


def gpt2_tokenizer() -> GPT2Tokenizer:
    """A GPT-2 tokenizer, which has no padding token and adds no begin or end tokens."""
    model = json.loads(train_tokenizer(["A day with running."] * 3, vocab_size=270).backend_tokenizer.to_str())["model"]
    vocabulary = {**model["vocab"], "<|endoftext|>": len(model["vocab"])}
    return GPT2Tokenizer(vocab=vocabulary, merges=[tuple(pair) for pair in model["merges"]])


def bert_tokenizer() -> BertTokenizer:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "day", "with", "running", "."]
    return BertTokenizer(vocab={word: number for number, word in enumerate(words)})


def test_language_model_tokenizer_adds_bos_and_eos(tmp_path):
    plain = gpt2_tokenizer()
    assert plain.pad_token is None
    tokenizer = load_text_tokenizer(plain, max_length=16)
    assert plain.pad_token is None  # the given tokenizer is not modified
    end = tokenizer.eos_token_id
    assert tokenizer("A day")["input_ids"] == [end, *plain("A day")["input_ids"], end]
    assert tokenizer(["A day", "A day with running."], padding=True)["attention_mask"][0][-1] == 0
    assert len(tokenizer("A day with running. " * 9, truncation=True)["input_ids"]) == 16
    tokenizer.save_pretrained(tmp_path)
    for again in (AutoTokenizer.from_pretrained(tmp_path), load_text_tokenizer(tmp_path)):
        assert (
            again(["A day", "A day with running."], padding=True)["input_ids"]
            == (tokenizer(["A day", "A day with running."], padding=True)["input_ids"])
        )
    assert load_text_tokenizer(plain, captions=False)("A day")["input_ids"] == plain("A day")["input_ids"]


def test_encoder_tokenizer_keeps_special_tokens():
    tokenizer = load_text_tokenizer(bert_tokenizer())
    assert tokenizer("A day.")["input_ids"] == [2, 5, 6, 9, 3]


def test_processor_drops_token_type_ids_and_requires_padding():
    extractor = SensorLMFeatureExtractor()
    processor = SensorLMProcessor(extractor, bert_tokenizer())
    assert list(processor(text=["a day", "running"])) == ["input_ids", "attention_mask"]
    assert processor.model_input_names == ["sensor_values", "sensor_mask", "input_ids", "attention_mask"]
    with pytest.raises(ValueError, match="load_text_tokenizer"):
        SensorLMProcessor(extractor, gpt2_tokenizer())


def test_unsupported_tokenizers_raise():
    tokenizer = gpt2_tokenizer()
    tokenizer.eos_token = None
    with pytest.raises(ValueError, match="neither a padding nor an end token"):
        load_text_tokenizer(tokenizer)
    tokenizer.pad_token = "!"
    with pytest.raises(ValueError, match="eos_token"):
        load_text_tokenizer(tokenizer, captions=True)
    with pytest.raises(ValueError, match="max_length"):
        load_text_tokenizer(gpt2_tokenizer(), max_length=1)


# Extended tokenizers


@pytest.fixture(scope="module")
def extended(tokenizer) -> PreTrainedTokenizerFast:
    return extend_tokenizer(tokenizer, ["Ġkettle", "bell", "Ġkettle", "Ġswam", "swam"])


def test_extension_keeps_ids_and_caption_tokens(tokenizer, extended):
    before, after = tokenizer.get_vocab(), extended.get_vocab()
    assert before.items() <= after.items()
    assert len(after) == len(before) + 4
    for text in captions(50):
        assert extended(text)["input_ids"] == tokenizer(text)["input_ids"]


def test_extension_matches_longest_tokens(extended):
    assert extended.tokenize("a kettlebell") == ["a", "Ġkettle", "bell"]
    assert extended.tokenize("Swam")[0] == "swam"


@given(st.text(max_size=60))
@settings(max_examples=100, deadline=None)
def test_extended_tokenizer_round_trips(extended, text):
    ids = extended(text)["input_ids"]
    expected = unicodedata.normalize("NFC", text.lower())
    assert extended.decode(ids, skip_special_tokens=True) == expected
    assert extended.pad_token_id not in ids


def test_extended_tokenizer_saves_and_loads(extended, tmp_path):
    extended.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    text = "A kettlebell at 72.5, <eos> included"
    assert again(text)["input_ids"] == extended(text)["input_ids"]
    assert again.model_max_length == extended.model_max_length


def test_extension_rejects_wrong_tokens(tokenizer):
    with pytest.raises(TypeError, match="single string"):
        extend_tokenizer(tokenizer, "bell")
    with pytest.raises(ValueError, match=r"tokens\[1\] 'a b'"):
        extend_tokenizer(tokenizer, ["a", "a b"])
    with pytest.raises(ValueError, match="Only byte-level tokenizers"):
        extend_tokenizer(BertTokenizer(vocab={"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4}), ["a"])
