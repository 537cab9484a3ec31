"""Captions of sensor days at three levels: facts (numbers only), wording (templates only) and the caption builder."""

from .budget import CAPTION_KEYS, TOKEN_BUDGETS, estimate_tokens
from .builder import CaptionBuilder
from .mapper import CaptionMapper
from .opening import opening_sentence
from .paraphrase import Paraphraser, numbers_in
from .templates import Wording, get_wording, list_languages, register_language

__all__ = [
    "CAPTION_KEYS",
    "TOKEN_BUDGETS",
    "CaptionBuilder",
    "CaptionMapper",
    "Paraphraser",
    "Wording",
    "estimate_tokens",
    "get_wording",
    "list_languages",
    "numbers_in",
    "opening_sentence",
    "register_language",
]
