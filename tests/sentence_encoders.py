"""A tiny pretrained sentence encoder."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import BertConfig, BertModel, BertTokenizer

WORDS = ["swimming", "pool", "the", "in", "a", "run", "gym", "heart", "##s", "##ning", "##bell", "kettle", "x", "##x"]


def tiny_encoder(folder: Path) -> Path:
    """Writes a tiny BERT with a lower-casing WordPiece tokenizer."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = {token: index for index, token in enumerate([*special, *WORDS, ",", "##,"])}
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    BertModel(config).save_pretrained(folder)
    BertTokenizer(vocab=vocabulary, do_lower_case=True).save_pretrained(folder)
    return folder
