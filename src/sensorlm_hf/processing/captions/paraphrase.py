"""Paraphrases captions with a language model and verifies that all numbers are preserved."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

PROMPT = (
    "Rewrite this description of wearable sensor data in other words. Keep every number and every time exactly as it"
    " is. Answer with the rewritten description only.\n\n{caption}\n\n"
)
"""Prompt for text-generation pipelines; `{caption}` is replaced by the caption."""

_NUMBER = re.compile(r"(?<![\w.,:])[-−]?\d+(?:[.,:]\d+)*|\d+(?:[.,:]\d+)*")


def numbers_in(text: str) -> Counter[str]:
    """Returns the counts of all numbers and clock times in a text, including signs."""
    return Counter(number.replace("−", "-") for number in _NUMBER.findall(text))


class Paraphraser:
    """Rewords captions, and keeps the template caption if a number was lost, changed or invented.

    Attributes:
        accepted: Number of reworded captions.
        rejected: Number of captions that fell back to the template: wrong numbers, empty output or too many tokens.
    """

    def __init__(self, model: Any, prompt: str = PROMPT) -> None:
        """Wraps a model.

        Args:
            model: A transformers text-generation pipeline, or a callable from a caption to a caption. Pipelines of chat
                models use their chat template.
            prompt: Prompt for pipelines, with `{caption}` as a placeholder.

        Raises:
            TypeError: If `model` cannot be called.
            ValueError: If `prompt` lacks the placeholder.
        """
        if not callable(model):
            raise TypeError(
                "`paraphraser` must be a text-generation pipeline or a function from text to text, got"
                f" {type(model).__name__}."
            )
        if "{caption}" not in prompt:
            raise ValueError(f"`prompt` must contain '{{caption}}', got {prompt!r}.")
        self.model = model
        self.prompt = prompt
        self.accepted = 0
        self.rejected = 0

    def __reduce__(self) -> tuple[type[Paraphraser], tuple[Any, str]]:
        # Without the counters: captions do not depend on them, and they restart in another process.
        return Paraphraser, (self.model, self.prompt)

    def __call__(self, captions: Sequence[str], fits: Callable[[str, int], bool]) -> list[str]:
        """Rewords captions.

        Args:
            captions: Captions; empty ones are kept.
            fits: Returns whether a text is within the token budget of the caption at a position.

        Returns:
            Captions, in order.
        """
        asked = [i for i, caption in enumerate(captions) if caption]
        result = list(captions)
        for i, answer in zip(asked, self._ask([captions[i] for i in asked]), strict=True):
            answer = " ".join(answer.split())
            if answer and numbers_in(answer) == numbers_in(captions[i]) and fits(answer, i):
                result[i] = answer
                self.accepted += 1
            else:
                self.rejected += 1
        return result

    def _ask(self, captions: list[str]) -> list[str]:
        if not captions:
            return []
        # By class name, so that captions do not need transformers; a manually created pipeline has no `task`.
        if all(kind.__name__ != "TextGenerationPipeline" for kind in type(self.model).__mro__):
            answers = [self.model(caption) for caption in captions]
        else:
            prompts: list[Any] = [self.prompt.replace("{caption}", caption) for caption in captions]
            if getattr(getattr(self.model, "tokenizer", None), "chat_template", None):  # a chat model
                prompts = [[{"role": "user", "content": prompt}] for prompt in prompts]
            answers = self.model(prompts, return_full_text=False)
        return [_text_of(answer) for answer in answers]


def _text_of(answer: Any) -> str:
    while isinstance(answer, list) and answer:
        answer = answer[0]
    if isinstance(answer, dict):
        answer = answer.get("generated_text", answer)
    if not isinstance(answer, str):
        raise TypeError(
            "`paraphraser` must return text, or the output of a text-generation pipeline, got"
            f" {type(answer).__name__}: {answer!r}."
        )
    return answer
