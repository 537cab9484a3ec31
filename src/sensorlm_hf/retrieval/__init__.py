"""Search in folders of days: embeddings of millions of days, and the days nearest to a sentence or to another day."""

from .day_index import DayIndex, Match
from .embed_folder import EmbeddingSummary, embed_folder

__all__ = ["DayIndex", "EmbeddingSummary", "Match", "embed_folder"]
