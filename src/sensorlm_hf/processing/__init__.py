"""Prepares model inputs: feature extractor, processor and tokenizer; captions are in `captions`.

Names are imported lazily, so that the caption builder works without transformers.
"""

from typing import TYPE_CHECKING

from .._lazy import lazy_names

if TYPE_CHECKING:
    from .feature_extraction_sensorlm import SensorLMFeatureExtractor
    from .processing_sensorlm import SensorLMProcessor
    from .tokenization import extend_tokenizer, load_text_tokenizer, train_tokenizer

_HOMES = {
    "SensorLMFeatureExtractor": "feature_extraction_sensorlm",
    "SensorLMProcessor": "processing_sensorlm",
    "extend_tokenizer": "tokenization",
    "load_text_tokenizer": "tokenization",
    "train_tokenizer": "tokenization",
}

__all__ = [
    "SensorLMFeatureExtractor",
    "SensorLMProcessor",
    "extend_tokenizer",
    "load_text_tokenizer",
    "train_tokenizer",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
