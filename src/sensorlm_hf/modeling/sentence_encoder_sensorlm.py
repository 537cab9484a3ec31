"""A pretrained sentence encoder that assists the text tower of CoCa without replacing its layers."""

from typing import Optional

import torch
from torch import nn

from .configuration_sensorlm import SensorLMTextConfig
from .layers_sensorlm import _mean_of_tokens, _with_init
from .text_backbone_sensorlm import _build, _order_for_encoder, _PretrainedPart, longest_text


class SensorLMSentenceEncoder(_PretrainedPart):
    r"""A pretrained encoder that adds the meaning of a sentence to the text embedding of a causal tower.

    The layers of a CoCa text tower learn the language of captions, in particular numbers, but no other words. The
    embedding of a text is

    $$ \sigma(g(m)) \frac{c}{|c|} + (1 - \sigma(g(m))) \frac{h(m)}{\sqrt{1 + |h(m)|^2}}, $$

    where $c$ is the projected class token of the causal layers, $m$ the mean token state of the encoder, $g$ a linear
    map and $h$ a perceptron with one hidden layer. $g$ and $h$ start at 0: a new encoder does not change the direction
    of any embedding. The gate lets the encoder decide how much the causal layers can be trusted with a text.

    Args:
        config: Configuration of the text tower, with `language_model_config` and `pooling="cls"`.
    """

    def __init__(self, config: SensorLMTextConfig) -> None:
        super().__init__()
        self.language_model = _build(config.language_model_config, config._attn_implementation)
        width = self.language_model.config.hidden_size
        output = nn.Linear(config.intermediate_size, config.projection_size or config.hidden_size)
        self.head = nn.Sequential(nn.Linear(width, config.intermediate_size), nn.GELU(), _with_init(output, "zeros"))
        self.gate = _with_init(nn.Linear(width, 1), "zeros")
        self.max_tokens = longest_text(self.language_model)

    def forward(
        self, input_ids: torch.Tensor, keys: Optional[torch.Tensor], class_embeds: torch.Tensor
    ) -> torch.Tensor:
        """Adds the meaning of texts to their embeddings.

        Args:
            input_ids: `(B, L)` token ids. The encoder reads as many of the first tokens as it has positions.
            keys: `(B, L)` bool, False for padding, which may be on either side; `None` without padding.
            class_embeds: `(B, D)` projected class tokens of the causal layers.

        Returns:
            `(B, D)` text embeddings, not normalized.
        """
        return self.combine(self.meaning(input_ids, keys), class_embeds)

    def meaning(self, input_ids: torch.Tensor, keys: Optional[torch.Tensor]) -> torch.Tensor:
        """Returns the mean token state of texts, `(B, width)`; arguments as for `forward`."""
        if keys is not None:
            order = _order_for_encoder(keys)
            if order is not None:
                input_ids, keys = input_ids.gather(1, order), keys.gather(1, order)
        input_ids, keys = self._first_tokens(input_ids, keys)
        mask = None if keys is None else keys.long()
        states = self.language_model(input_ids, mask).last_hidden_state
        return _mean_of_tokens(states, keys)

    def _first_tokens(
        self, input_ids: torch.Tensor, keys: Optional[torch.Tensor]
    ) -> tuple[torch.Tensor, Optional[torch.Tensor]]:
        """Returns as many of the first tokens as the encoder has positions, and their mask."""
        length = input_ids.shape[1]
        if isinstance(length, int):
            return input_ids[:, : self.max_tokens], None if keys is None else keys[:, : self.max_tokens]
        # The graph of `torch.export` holds for every length, so it cannot depend on whether texts are cut. It always
        # reads `max_tokens` tokens, the last token again and masked where a text has none.
        places = torch.arange(self.max_tokens, device=input_ids.device)
        inside, places = (places < length)[None, :], places.clamp(max=length - 1)
        keys = inside.expand(input_ids.shape[0], -1) if keys is None else keys[:, places] & inside
        return input_ids[:, places], keys

    def embed(self, meaning: torch.Tensor) -> torch.Tensor:
        """Maps mean token states `(B, width)` to embeddings `(B, D)` whose length is below 1."""
        embeds = self.head(meaning)
        return embeds / (1 + embeds.square().sum(dim=-1, keepdim=True)).sqrt()

    def combine(self, meaning: torch.Tensor, class_embeds: torch.Tensor) -> torch.Tensor:
        """Combines mean token states `(B, width)` with the embeddings `(B, D)` of the causal layers."""
        trust = self.gate(meaning).sigmoid()
        return trust * nn.functional.normalize(class_embeds, dim=-1) + (1 - trust) * self.embed(meaning)


__all__ = ["SensorLMSentenceEncoder"]
