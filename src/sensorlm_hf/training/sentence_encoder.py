"""Gives a CoCa model a pretrained sentence encoder, so that it understands English that no caption contains."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from tokenizers import decoders, pre_tokenizers
from transformers import AutoModel, AutoTokenizer, PreTrainedTokenizerFast

from ..modeling import SensorLMConfig, SensorLMForConditionalGeneration
from ..processing import SensorLMProcessor, extend_tokenizer

logger = logging.getLogger(__name__)

_COMMON = 3000
"""Ids of the encoder's tokens below which words also get a form without a space before them."""

CONTINUATION = "##"
"""How WordPiece marks tokens inside a word."""


def add_sentence_encoder(
    model: SensorLMForConditionalGeneration,
    processor: SensorLMProcessor,
    encoder: Any,
    *,
    texts: Iterable[str] = (),
    vocab_size: int = 10_000,
    max_tokens: int = 64,
) -> tuple[SensorLMForConditionalGeneration, SensorLMProcessor]:
    """Adds a pretrained encoder to the text tower of a CoCa model.

    The encoder's vocabulary is pruned to its most frequent English tokens, which are appended to the model's own, so
    one tokenizer serves both. The model writes captions, scores them and embeds them as before, until the encoder is
    trained: it starts without effect (see `SensorLMSentenceEncoder`).

    Args:
        model: A model of objective `coca` with its own text tower.
        processor: Its processor.
        encoder: Name or path of an encoder with a lower-casing WordPiece tokenizer, such as
            `"sentence-transformers/all-MiniLM-L6-v2"` (Wang et al., "MiniLM", 2020; Apache-2.0).
        texts: Texts whose tokens are kept in any case.
        vocab_size: Size of the shared vocabulary. Everything else is divided into shorter tokens, at worst bytes.
        max_tokens: Number of tokens of a text that the encoder reads; the causal layers read all of it.

    Returns:
        The new model, in float32 and evaluation mode, and its processor. The arguments are not modified.

    Example:
        ```python
        model = SensorLMForConditionalGeneration.from_pretrained("sensorlm-coca")
        processor = SensorLMProcessor.from_pretrained("sensorlm-coca")
        model, processor = add_sentence_encoder(model, processor, "sentence-transformers/all-MiniLM-L6-v2")
        align_sentence_encoder(model, processor, days, captions)
        save_model(model, processor, "my-model")
        ```

    Raises:
        ValueError: If the model is not of objective `coca` or already has a language model, the encoder's tokenizer is
            not a lower-casing WordPiece, or `vocab_size` or `max_tokens` do not fit.
    """
    text: Any = model.config.text_config
    if model.config.objective != "coca" or text.language_model_config is not None:
        held = "a language model already" if text.language_model_config is not None else "no text embedding"
        raise ValueError(
            f"A sentence encoder assists a model of objective 'coca' with its own text tower; this one is of objective"
            f" {model.config.objective!r} and has {held}."
        )
    source = AutoModel.from_pretrained(encoder, dtype=torch.float32)
    theirs = AutoTokenizer.from_pretrained(encoder)
    pieces = theirs.get_vocab()
    if f"{CONTINUATION}s" not in pieces or theirs.tokenize("A") != ["a"]:
        raise ValueError(
            f"{encoder} must have a lower-casing WordPiece tokenizer, like BERT (uncased); it has a"
            f" {type(theirs).__name__}."
        )
    positions = source.config.max_position_embeddings
    if not 0 < max_tokens <= positions:
        raise ValueError(f"`max_tokens` must be 1 to {positions}, the positions of the encoder, got {max_tokens}.")
    if vocab_size < len(processor.tokenizer):
        raise ValueError(
            f"`vocab_size` must be at least {len(processor.tokenizer)}, the tokens of captions, got {vocab_size}."
        )
    tokenizer = _shared_tokenizer(processor.tokenizer, theirs, texts, vocab_size)
    rows = torch.stack(list(_embedding_rows(tokenizer, theirs, source.get_input_embeddings().weight.detach())))

    of_encoder = copy.deepcopy(source.config)
    of_encoder.vocab_size, of_encoder.max_position_embeddings = len(tokenizer), max_tokens
    of_encoder.pad_token_id = tokenizer.pad_token_id
    for name in ("hidden_dropout_prob", "attention_probs_dropout_prob"):  # the other layers have no dropout
        if hasattr(of_encoder, name):
            setattr(of_encoder, name, 0.0)
    values = model.config.to_dict()
    values["text_config"] |= {"language_model_config": of_encoder.to_dict(), "pooling": "cls"}
    extended = SensorLMForConditionalGeneration(SensorLMConfig.from_dict(values))
    report = extended.load_state_dict(model.float().state_dict(), strict=False)
    added = [name for name in report.missing_keys if ".sentence_encoder." not in name and ".statement_" not in name]
    if added or report.unexpected_keys:
        raise RuntimeError(f"The model does not fit its extension: {added[:3]}, {report.unexpected_keys[:3]}.")
    mine = extended.sensorlm.text_model.sentence_encoder.language_model
    weights = {name: value for name, value in source.state_dict().items() if not name.startswith("pooler.")}
    for name, value in mine.state_dict().items():
        if name.endswith("word_embeddings.weight"):
            weights[name] = rows
        elif value.shape != weights[name].shape:  # positions, and their numbers
            weights[name] = weights[name][tuple(slice(size) for size in value.shape)]
    mine.load_state_dict(weights)
    extended.generation_config = copy.deepcopy(model.generation_config)
    captions = len(processor.tokenizer)
    return extended.eval(), SensorLMProcessor(processor.feature_extractor, tokenizer, caption_vocab_size=captions)


def _spelling(text: str) -> str:
    """Returns the byte-level spelling of a text, in which a space is "Ġ"."""
    splitter = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return "".join(piece for piece, _ in splitter.pre_tokenize_str(text))


def _shared_tokenizer(
    mine: PreTrainedTokenizerFast, theirs: Any, texts: Iterable[str], vocab_size: int
) -> PreTrainedTokenizerFast:
    """Appends tokens of the encoder to the model's: those of the texts, then the most frequent ones."""
    wanted: dict[str, None] = {}
    for text in texts:
        for token in theirs.tokenize(text):
            wanted.setdefault(token, None)
    listed = set(wanted)
    # The vocabulary of BERT is ordered by frequency.
    for token in sorted(theirs.get_vocab(), key=theirs.get_vocab().__getitem__):
        wanted.setdefault(token, None)
    known = set(mine.get_vocab())
    added: dict[str, None] = {}
    for token in wanted:
        inside = token.startswith(CONTINUATION)
        letters = token.removeprefix(CONTINUATION)
        if not (letters.isascii() and letters.isalpha()):
            continue
        # A word also occurs without a space before it, at the beginning of a text or after a hyphen.
        common = token in listed or theirs.convert_tokens_to_ids(token) < _COMMON
        forms = [letters] if inside else [f" {letters}", letters] if common else [f" {letters}"]
        for form in map(_spelling, forms):
            if form not in known and len(known) + len(added) < vocab_size:
                added.setdefault(form, None)
    return extend_tokenizer(mine, added)


def _embedding_rows(tokenizer: Any, theirs: Any, table: torch.Tensor) -> Iterator[torch.Tensor]:
    """Yields the embedding of each token of the shared tokenizer: that of the encoder's token, or the mean of several.

    Tokens that the encoder does not have are fragments of caption words, and bytes.
    """
    pieces = theirs.get_vocab()
    special = {
        tokenizer.pad_token_id: theirs.pad_token,
        tokenizer.bos_token_id: theirs.cls_token,
        tokenizer.eos_token_id: theirs.sep_token,
    }
    decoder = decoders.ByteLevel()
    for index, token in enumerate(tokenizer.convert_ids_to_tokens(range(len(tokenizer)))):
        if index in special:
            yield table[pieces[special[index]]]
            continue
        text = decoder.decode([token])
        word, inside = pieces.get(text.strip()), pieces.get(f"{CONTINUATION}{text}")
        # WordPiece separates punctuation from words, so that "##," and the like are never used.
        if text.startswith(" ") or inside is None or not text.isalnum():
            chosen = [word] if word is not None else theirs.convert_tokens_to_ids(theirs.tokenize(text))
        else:
            # At the beginning of a text and inside a word the same token occurs: what is more frequent counts.
            chosen = [inside if word is None or len(text) < 3 else min(word, inside)]
        yield table[chosen or [pieces[theirs.unk_token]]].mean(dim=0)


__all__ = ["add_sentence_encoder"]
