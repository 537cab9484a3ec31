"""What models with a decoder do with it: write captions and score texts as captions."""

from typing import Any, Optional

import torch
from torch import nn
from transformers import GenerationConfig, GenerationMixin

from .layers_sensorlm import _told_to_decoder


class SensorLMGenerationMixin(GenerationMixin):
    """Caption generation and scoring of [`SensorLMModel`]."""

    config: Any
    decoder: Any
    sensor_model: Any
    text_model: Any
    device: Any
    generation_config: Any
    _require: Any
    _caption_targets: Any

    def encode_for_captions(
        self, sensor_values: torch.Tensor, sensor_mask: Optional[torch.Tensor] = None
    ) -> tuple[torch.Tensor, Optional[torch.Tensor]]:
        """Computes what the decoder attends to.

        Args:
            sensor_values: `(B, T, C)` normalised values.
            sensor_mask: `(B, T, C)`, True = observed; `None` if everything is.

        Returns:
            `sensor_tokens` `(B, K, .)` and `sensor_token_mask` `(B, K)` or `None`, as `forward` takes them.

        Raises:
            ValueError: If the objective has no decoder.
        """
        self._require("captions")
        output = self.sensor_model(sensor_values, sensor_mask, return_dict=True)
        return self.decoder.sensor_tokens(*_told_to_decoder(output))

    @torch.no_grad()
    def score_text(
        self,
        sensor_values: torch.Tensor,
        sensor_mask: Optional[torch.Tensor],
        input_ids: torch.Tensor,
        attention_mask: Optional[torch.Tensor] = None,
        *,
        chunk_size: int = 64,
    ) -> torch.Tensor:
        """Scores every text as a caption of every day: zero-shot classification by likelihood.

        Days and texts are encoded once; only the decoder runs for each pair.

        Args:
            sensor_values: `(B, T, C)` normalised values.
            sensor_mask: `(B, T, C)`, True = observed; `None` if everything is.
            input_ids: `(N, L)` token ids, with the first and last special token.
            attention_mask: `(N, L)`, 0 for padding.
            chunk_size: Pairs decoded at once.

        Returns:
            `(B, N)` mean log-likelihood of a token, in float32 at least.

        Raises:
            ValueError: If the objective has no decoder, or a text has no token after its first.
        """
        self._require("captions")
        if chunk_size < 1:
            raise ValueError(f"`chunk_size` must be at least 1, got {chunk_size}.")
        sensor_tokens, token_mask = self.encode_for_captions(sensor_values, sensor_mask)
        key_values = self.decoder.key_values(sensor_tokens)
        states = self.text_model(input_ids, attention_mask, pool=False, return_dict=True).token_states
        targets = self._caption_targets(input_ids, attention_mask, None)
        counts = (targets != -100).sum(dim=1)
        if (counts == 0).any():
            empty = (counts == 0).nonzero().flatten().tolist()
            raise ValueError(f"Texts {empty} have no token after the first, so there is nothing to score.")
        days, texts = len(sensor_values), len(input_ids)
        results = []
        for start in range(0, days * texts, chunk_size):
            pairs = torch.arange(start, min(start + chunk_size, days * texts), device=input_ids.device)
            day, text = pairs // texts, pairs % texts
            hidden = self.decoder(
                states[text],
                None if attention_mask is None else attention_mask[text],
                sensor_key_values=key_values[day],
                sensor_token_mask=None if token_mask is None else token_mask[day],
            )
            scored = targets[text] != -100
            logits = self.decoder.lm_head(hidden[:, :-1][scored])
            logits = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
            losses = nn.functional.cross_entropy(logits, targets[text][scored], reduction="none")
            rows = scored.nonzero()[:, 0]
            sums = losses.new_zeros(len(pairs)).index_add_(0, rows, losses)
            results.append(-sums / counts[text])
        return torch.cat(results).view(days, texts)

    def prepare_inputs_for_generation(self, input_ids: torch.Tensor, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Prepares the inputs of one generation step: no losses, but logits."""
        inputs = super().prepare_inputs_for_generation(input_ids, *args, **kwargs)
        return {**inputs, "return_loss": False, "return_caption_logits": True}

    @torch.no_grad()
    def generate(
        self,
        inputs: Optional[torch.Tensor] = None,
        generation_config: Optional[GenerationConfig] = None,
        *,
        sensor_values: Optional[torch.Tensor] = None,
        sensor_mask: Optional[torch.Tensor] = None,
        input_ids: Optional[torch.Tensor] = None,
        attention_mask: Optional[torch.Tensor] = None,
        **kwargs: Any,
    ) -> Any:
        """Writes captions of days.

        The sensor tower runs once, and the decoder's keys and values of the sensor tokens are computed once. Everything
        else is `GenerationMixin.generate`: greedy search, beams, sampling, `num_return_sequences`, constraints.

        Args:
            inputs: The same as `input_ids`.
            generation_config: How to generate.
            sensor_values: `(B, T, C)` normalised values.
            sensor_mask: `(B, T, C)`, True = observed; `None` if everything is.
            input_ids: `(B, L)` or `(1, L)` texts to go on from; by default the `bos` token. Padding may be on either
                side and is moved to the left; an `eos` token that ends a text is taken off.
            attention_mask: `(B, L)`, 0 for padding.
            kwargs: Further arguments of `GenerationMixin.generate`. Without any length the caption ends at its `eos`
                token, or when the model's positions run out.

        Returns:
            Token ids `(B * num_return_sequences, tokens)` that start with the given texts, or what the generation
            configuration asks for.

        Raises:
            ValueError: If the objective has no decoder, no days are given, rows do not match, there is no token to
                start from, or more tokens are asked for than the model has positions.
        """
        self._require("captions")
        if sensor_values is None:
            raise ValueError("Give `sensor_values`: the days to write captions of.")
        if inputs is not None and input_ids is not None:
            raise ValueError("Give the texts to go on from as `input_ids` or as `inputs`, not as both.")
        input_ids = inputs if input_ids is None else input_ids

        def setting(name: str) -> Any:
            for source in (generation_config, self.generation_config):
                value = kwargs.get(name, getattr(source, name, None))
                if value is not None:
                    return value
            return None

        input_ids, attention_mask = self._prompts(
            input_ids, attention_mask, len(sensor_values), setting("bos_token_id"), setting("eos_token_id")
        )
        # The last token needs no position, since nothing is predicted from it.
        limit = self.config.text_config.max_position_embeddings + 1
        new_tokens, total = setting("max_new_tokens"), setting("max_length")
        if new_tokens is None and total is None:
            kwargs["max_length"] = limit
        length = input_ids.shape[1] + new_tokens if new_tokens is not None else total
        if max(length or 0, input_ids.shape[1] + 1) > limit:
            raise ValueError(
                f"Texts of up to {max(length or 0, input_ids.shape[1] + 1)} tokens were asked for (the longest given"
                f" text has {input_ids.shape[1]}), but the model has positions for {limit}. Lower `max_new_tokens` or"
                " `max_length`."
            )
        tokens, token_mask = self.encode_for_captions(sensor_values, sensor_mask)
        return super().generate(
            input_ids=input_ids,
            generation_config=generation_config,
            attention_mask=attention_mask,
            sensor_key_values=self.decoder.key_values(tokens),
            sensor_token_mask=token_mask,
            **kwargs,
        )

    def _prompts(
        self,
        input_ids: Optional[torch.Tensor],
        attention_mask: Optional[torch.Tensor],
        rows: int,
        bos: Any,
        eos: Any,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns the texts to go on from with their padding on the left, and their mask."""
        if input_ids is None:
            if bos is None:
                raise ValueError(
                    "There is no token to start a caption from: give `input_ids`, or set `bos_token_id` in"
                    " `model.generation_config`."
                )
            input_ids = torch.full((rows, 1), int(bos), device=self.device)
            return input_ids, torch.ones_like(input_ids)
        if input_ids.ndim != 2 or len(input_ids) not in (1, rows) or input_ids.shape[1] == 0:
            raise ValueError(
                f"`input_ids` must have shape ({rows}, tokens) or (1, tokens) for {rows} days, got"
                f" {tuple(input_ids.shape)}."
            )
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask.long()
        if mask.shape != input_ids.shape:
            raise ValueError(
                f"`attention_mask` must have the shape of `input_ids`, {tuple(input_ids.shape)}, got"
                f" {tuple(mask.shape)}."
            )
        steps = torch.arange(1, mask.shape[1] + 1, device=mask.device)
        ends = (mask * steps).argmax(dim=1, keepdim=True)
        if eos is not None:
            eos = torch.as_tensor(eos, device=input_ids.device).flatten()
            finished = torch.isin(input_ids.gather(1, ends), eos) & (mask.sum(dim=1, keepdim=True) > 1)
            mask = mask.scatter(1, ends, mask.gather(1, ends) * (~finished).long())
        if not mask.any(dim=1).all():
            empty = (~mask.any(dim=1)).nonzero().flatten().tolist()
            raise ValueError(f"Texts {empty} in `input_ids` have no token to go on from.")
        order = mask.argsort(dim=1, stable=True)[:, -int(mask.sum(dim=1).max()) :]
        input_ids, mask = input_ids.gather(1, order), mask.gather(1, order)
        pad = self.config.text_config.pad_token_id
        if pad is not None:
            input_ids = input_ids.masked_fill(mask == 0, pad)
        return input_ids.expand(rows, -1).contiguous(), mask.expand(rows, -1).contiguous()


__all__ = ["SensorLMGenerationMixin"]
