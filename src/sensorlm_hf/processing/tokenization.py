"""Trains the text tokenizer, a byte-level BPE that keeps punctuation and splits digits, extends or loads one.

Captions contain many numbers. Merged digits would make "72.4" and "72.5" unrelated tokens, and tokenizers that
normalise text turn "27.6" into "276". Here every digit is a separate token, and decoding restores the lower-cased text
exactly. Bytes cover all text, so there is no unknown token.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

PAD, BOS, EOS = "<pad>", "<bos>", "<eos>"
SPECIAL_TOKENS = (PAD, BOS, EOS)
"""Special tokens; their ids are 0, 1 and 2."""

SMALLEST_VOCABULARY = len(SPECIAL_TOKENS) + 256
"""The special tokens and one token for each byte."""


def train_tokenizer(
    texts: Iterable[str],
    vocab_size: int = 4096,
    *,
    max_length: int = 256,
    min_frequency: int = 2,
) -> PreTrainedTokenizerFast:
    """Trains a tokenizer on texts.

    Text is lower-cased and NFC-normalised (which preserves "µ" and "²"). Each digit is a separate token, together with
    a preceding space. Special tokens spelled out in a text ("<eos>") are treated as text. Training is deterministic:
    the same texts give a byte-identical tokenizer.

    Args:
        texts: Captions, event names, prompts; read once, in order.
        vocab_size: Maximum vocabulary size, at least 259. It may be smaller if the texts have too few repeated words,
            so use `len(tokenizer)` as a model's vocabulary size.
        max_length: Maximum tokens with truncation, including `<bos>` and `<eos>`.
        min_frequency: Minimum frequency of a pair to be merged.

    Returns:
        The tokenizer. It adds `<bos>` before and `<eos>` after each text and pads on the right; the ids of `<pad>`,
        `<bos>` and `<eos>` are 0, 1 and 2.

    Raises:
        TypeError: If `texts` is a single string or contains anything other than strings.
        ValueError: If there is no text, or a number is out of range.

    Example:
        >>> tokenizer = train_tokenizer(["Heart rate averaged 72.4 bpm."] * 2, vocab_size=300)
        >>> tokenizer.decode(tokenizer("HEART rate 27.6")["input_ids"], skip_special_tokens=True)
        'heart rate 27.6'
    """
    for name, value, lowest in [
        ("vocab_size", vocab_size, SMALLEST_VOCABULARY),
        ("max_length", max_length, 3),
        ("min_frequency", min_frequency, 1),
    ]:
        if isinstance(value, bool) or not isinstance(value, int) or value < lowest:
            raise ValueError(f"`{name}` must be an integer of at least {lowest}, got {value!r}.")
    if isinstance(texts, (str, bytes)) or not isinstance(texts, Iterable):
        raise TypeError(f"`texts` must be an iterable of strings, got {type(texts).__name__}.")

    counter = _CheckedTexts(texts)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), normalizers.NFC()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r" ?\p{Nd}"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        counter,
        trainer=trainers.BpeTrainer(
            vocab_size=vocab_size,
            min_frequency=min_frequency,
            special_tokens=[AddedToken(token, normalized=False, special=True) for token in SPECIAL_TOKENS],
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        ),
    )
    if not counter.count:
        raise ValueError("`texts` contains no text to train on.")
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A {EOS}",
        pair=f"{BOS} $A {EOS} $B:1 {EOS}:1",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (BOS, EOS)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        model_max_length=max_length,
        padding_side="right",
        truncation_side="right",
        clean_up_tokenization_spaces=False,
        split_special_tokens=True,  # user text must not end a caption
        model_input_names=["input_ids", "attention_mask"],
    )


def extend_tokenizer(
    tokenizer: PreTrainedTokenizerFast, tokens: Iterable[str], *, max_length: int | None = None
) -> PreTrainedTokenizerFast:
    """Adds tokens to a tokenizer of [`train_tokenizer`]; existing tokens keep their ids.

    The result divides each word into the longest tokens that it begins with, like BERT's WordPiece, so that no merges
    are needed. Words that were one token before still are, so template captions are tokenized as before; decoding
    still restores the lower-cased text.

    Args:
        tokenizer: A byte-level tokenizer; it is not modified.
        tokens: Tokens to add, in their byte-level spelling: a word after a space starts with "Ġ". Those that it has
            already are skipped.
        max_length: Maximum tokens with truncation; by default that of the tokenizer.

    Returns:
        The extended tokenizer.

    Raises:
        TypeError: If `tokens` is a single string.
        ValueError: If the tokenizer is not a byte-level one, or a token contains a character outside of its alphabet.

    Example:
        >>> small = train_tokenizer(["Heart rate averaged 72.4 bpm."] * 2, vocab_size=300)
        >>> extend_tokenizer(small, ["Ġkettle", "bell"]).tokenize("a kettlebell")
        ['a', 'Ġkettle', 'bell']
    """
    if isinstance(tokens, str):
        raise TypeError("`tokens` must be an iterable of tokens, got a single string.")
    old = tokenizer.backend_tokenizer
    alphabet = set(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = old.get_vocab(with_added_tokens=True)
    missing = sorted(alphabet - set(vocabulary))
    if missing:
        raise ValueError(
            f"Only byte-level tokenizers such as those of `train_tokenizer` can be extended; this one lacks"
            f" {len(missing)} of the 256 bytes, such as {missing[0]!r}."
        )
    for position, token in enumerate(tokens):
        if not token or not set(token) <= alphabet:
            raise ValueError(
                f"tokens[{position}] {token!r} must be a non-empty string in byte-level spelling, in which a space is"
                " 'Ġ'."
            )
        vocabulary.setdefault(token, len(vocabulary))
    state = json.loads(old.to_str())
    model = models.WordPiece(
        vocabulary, unk_token=tokenizer.pad_token, continuing_subword_prefix="", max_input_chars_per_word=10**6
    )
    extended = Tokenizer(model)
    extended.normalizer, extended.pre_tokenizer = old.normalizer, old.pre_tokenizer
    extended.decoder, extended.post_processor = old.decoder, old.post_processor
    extended.add_special_tokens(
        [AddedToken(**{k: v for k, v in token.items() if k != "id"}) for token in state["added_tokens"]]
    )
    result = copy.deepcopy(tokenizer)
    result._tokenizer = extended
    if max_length is not None:
        result.model_max_length = max_length
    return result


def load_text_tokenizer(
    source: Any, *, max_length: int | None = None, captions: bool | None = None, **options: Any
) -> PreTrainedTokenizerFast:
    """Loads the tokenizer of a pretrained language model for a [`SensorLMProcessor`].

    A tokenizer without a padding token pads with its end token; the attention mask distinguishes the two. Captions need
    a start token for generation and an end token that stops it, so tokenizers of decoder-only models, most of which add
    neither, are configured to add both.

    Args:
        source: Name or path for `AutoTokenizer.from_pretrained`, or a fast tokenizer, of which a copy is returned.
        max_length: Maximum tokens with truncation; by default the tokenizer's own limit.
        captions: Whether to add start and end tokens. By default this is done if the tokenizer has a beginning- or
            end-of-text token and no separator token; encoders' tokenizers keep their own special tokens.
        **options: Keyword arguments of `AutoTokenizer.from_pretrained`.

    Returns:
        The tokenizer.

    Raises:
        TypeError: If it is not a fast tokenizer.
        ValueError: If there is no suitable padding, start or end token.

    Example:
        ```python
        tokenizer = load_text_tokenizer("openai-community/gpt2", max_length=256)
        processor = SensorLMProcessor(SensorLMFeatureExtractor(), tokenizer)
        ```
    """
    loaded = source if hasattr(source, "backend_tokenizer") else AutoTokenizer.from_pretrained(source, **options)
    if not hasattr(loaded, "backend_tokenizer"):
        raise TypeError(f"`source` gives a {type(loaded).__name__}; a fast tokenizer is needed (`use_fast=True`).")
    tokenizer = copy.deepcopy(loaded)
    if tokenizer.pad_token is None:
        if tokenizer.eos_token is None:
            raise ValueError("The tokenizer has neither a padding nor an end token; set `tokenizer.pad_token` first.")
        tokenizer.pad_token = tokenizer.eos_token
    if captions is None:
        captions = tokenizer.sep_token is None and (tokenizer.bos_token or tokenizer.eos_token) is not None
    if captions:
        beginning = tokenizer.bos_token or tokenizer.cls_token or tokenizer.eos_token
        end = tokenizer.eos_token or tokenizer.sep_token
        if beginning is None or end is None:
            raise ValueError(
                f"Captions need a start and an end token; this tokenizer has {beginning!r}, {end!r}."
                " Set `tokenizer.bos_token` and `tokenizer.eos_token` first."
            )
        tokenizer.bos_token, tokenizer.eos_token = beginning, end
        for name in ("add_bos_token", "add_eos_token"):  # read by its class when it is loaded again
            setattr(tokenizer, name, True)
            tokenizer.init_kwargs[name] = True
        tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{beginning} $A {end}",
            pair=f"{beginning} $A {end} $B:1 {end}:1",
            special_tokens=[(token, tokenizer.convert_tokens_to_ids(token)) for token in {beginning, end}],
        )
    tokenizer.padding_side = "right"
    if max_length is not None:
        if max_length < 3:
            raise ValueError(f"`max_length` must be at least 3 tokens, got {max_length}.")
        tokenizer.model_max_length = min(max_length, tokenizer.model_max_length)
    return tokenizer


class _CheckedTexts:
    """Yields texts, raising an error for anything that is not a string, and counts the non-empty ones."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = texts
        self.count = 0

    def __iter__(self) -> Iterator[str]:
        for position, text in enumerate(self.texts):
            if not isinstance(text, str):
                raise TypeError(f"texts[{position}] must be a string, got {type(text).__name__}.")
            self.count += bool(text.strip())
            yield text


__all__ = ["SPECIAL_TOKENS", "extend_tokenizer", "load_text_tokenizer", "train_tokenizer"]
