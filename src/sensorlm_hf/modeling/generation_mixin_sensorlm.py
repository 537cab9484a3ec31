"""Captions of days: generation, and scoring of texts as captions.

Shapes: `B` rows, `T` minutes, `C` channels, `K` sensor tokens, `L` text tokens, `d` width of a head.
"""

from typing import Any, Optional

import torch
from torch import nn
from transformers import GenerationConfig, GenerationMixin

from .losses_sensorlm import caption_targets


class SensorLMGenerationMixin(GenerationMixin):
    """What [`SensorLMForConditionalGeneration`] does with its decoder besides training.

    The days do not change while a caption is written: the sensor tower and the decoder's projections of its tokens run
    once, before the first step.
    """

    config: Any
    decoder: Any
    generation_config: Any
    sensorlm: Any

    def encode_for_captions(
        self, sensor_values: torch.Tensor, sensor_mask: Optional[torch.Tensor] = None
    ) -> tuple[torch.Tensor, Optional[torch.Tensor]]:
        """Computes what the decoder attends to, once for many texts or generation steps.

        Args:
            sensor_values: `(B, T, C)` normalised values.
            sensor_mask: `(B, T, C)`, True = observed; `None` if everything is.

        Returns:
            `sensor_key_values` `(B, layers, 2, heads, K, d)` and `sensor_token_mask` `(B, K)` or `None`, as `forward`
            takes them.
        """
        tokens, mask = self.decoder.sensor_tokens(self.sensorlm.sensor_model(sensor_values, sensor_mask))
        return self.decoder.key_values(tokens), mask

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

        Days and texts are encoded once; only the decoder runs on each pair.

        Args:
            sensor_values: `(B, T, C)` normalised values.
            sensor_mask: `(B, T, C)`, True = observed; `None` if everything is.
            input_ids: `(N, L)` token ids, with the first and last special token.
            attention_mask: `(N, L)`, 0 for padding.
            chunk_size: Pairs decoded at once.

        Returns:
            `(B, N)` mean log-likelihood of a token, in float32 at least.

        Raises:
            ValueError: If `chunk_size` is below 1, or a text has no token after its first.
        """
        if chunk_size < 1:
            raise ValueError(f"`chunk_size` must be at least 1, got {chunk_size}.")
        key_values, token_mask = self.encode_for_captions(sensor_values, sensor_mask)
        states = self.sensorlm.text_model(input_ids, attention_mask).last_hidden_state
        targets = caption_targets(input_ids, attention_mask)
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
            ).last_hidden_state
            scored = targets[text] != -100
            logits = self.decoder.lm_head(hidden[:, :-1][scored])
            logits = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
            losses = nn.functional.cross_entropy(logits, targets[text][scored], reduction="none")
            rows = scored.nonzero()[:, 0]
            sums = losses.new_zeros(len(pairs)).index_add_(0, rows, losses)
            results.append(-sums / counts[text])
        return torch.cat(results).view(days, texts)

    @torch.no_grad()
    def generate(
        self,
        sensor_values: Optional[torch.Tensor] = None,
        sensor_mask: Optional[torch.Tensor] = None,
        input_ids: Optional[torch.Tensor] = None,
        attention_mask: Optional[torch.Tensor] = None,
        generation_config: Optional[GenerationConfig] = None,
        sensor_key_values: Optional[torch.Tensor] = None,
        sensor_token_mask: Optional[torch.Tensor] = None,
        **kwargs: Any,
    ) -> Any:
        """Writes captions of days.

        The sensor tower runs once, and the decoder's keys and values of the sensor tokens are computed once. Everything
        else is `GenerationMixin.generate`: greedy search, beams, sampling, `num_return_sequences`, constraints.

        Args:
            sensor_values: `(B, T, C)` normalised values.
            sensor_mask: `(B, T, C)`, True = observed; `None` if everything is.
            input_ids: `(B, L)` or `(1, L)` prompts to continue; by default the `bos` token. Padding may be on either
                side and is moved to the left; an `eos` token that ends a prompt is removed, unless captions do not end
                with it (`eos_token_id=None`) or continue from `past_key_values`.
            attention_mask: `(B, L)`, 0 for padding.
            generation_config: How to generate.
            sensor_key_values: Days that [`encode_for_captions`] has encoded already, instead of `sensor_values`.
            sensor_token_mask: Their mask.
            kwargs: Further arguments of `GenerationMixin.generate`. Without any length the caption ends at its `eos`
                token, or when the model's positions run out.

        Returns:
            Token ids `(B * num_return_sequences, tokens)` that start with the prompts, or what the generation
            configuration asks for.

        Raises:
            ValueError: If no days are given, rows do not match, there is no token to start from, or more tokens are
                requested than the model has positions.
        """
        if sensor_values is None and sensor_key_values is None:
            raise ValueError("Give `sensor_values`: the days to caption.")
        if sensor_key_values is None:
            sensor_key_values, sensor_token_mask = self.encode_for_captions(sensor_values, sensor_mask)
        rows = len(sensor_key_values)

        def setting(name: str) -> Any:
            for source in (generation_config, self.generation_config):
                value = kwargs.get(name, getattr(source, name, None))
                if value is not None:
                    return value
            return None

        eos = kwargs["eos_token_id"] if "eos_token_id" in kwargs else setting("eos_token_id")
        past = kwargs.get("past_key_values")
        if getattr(generation_config, "is_assistant", False) or (past is not None and past.get_seq_length() > 0):
            eos = None  # a text that is being written, rather than a prompt
        input_ids, attention_mask = self._prompts(
            input_ids, attention_mask, rows, setting("bos_token_id"), eos, sensor_key_values.device
        )
        # The last token needs no position, since nothing is predicted from it.
        limit = self.config.text_config.max_position_embeddings + 1
        new_tokens, total = setting("max_new_tokens"), setting("max_length")
        if new_tokens is None and total is None:
            kwargs["max_length"] = limit
        length = input_ids.shape[1] + new_tokens if new_tokens is not None else total
        if max(length or 0, input_ids.shape[1] + 1) > limit:
            raise ValueError(
                f"Texts of up to {max(length or 0, input_ids.shape[1] + 1)} tokens were requested (the longest prompt"
                f" has {input_ids.shape[1]}), but the model has positions for {limit}. Lower `max_new_tokens` or"
                " `max_length`."
            )
        assistant = kwargs.get("assistant_model")
        if isinstance(assistant, SensorLMGenerationMixin):
            if sensor_values is None:
                raise ValueError("An assistant encodes the days itself: give `sensor_values`.")
            keys, mask = assistant.encode_for_captions(
                sensor_values.to(assistant.device), None if sensor_mask is None else sensor_mask.to(assistant.device)
            )
            kwargs.update(assistant_key_values=keys, assistant_token_mask=mask)
        return super().generate(
            # What is copied for beams and for several sequences follows from the encoded days alone.
            inputs=sensor_key_values if sensor_values is None else sensor_values,
            input_ids=input_ids,
            generation_config=generation_config,
            attention_mask=attention_mask,
            sensor_key_values=sensor_key_values,
            sensor_token_mask=sensor_token_mask,
            **kwargs,
        )

    def prepare_inputs_for_generation(
        self,
        input_ids: torch.Tensor,
        assistant_key_values: Optional[torch.Tensor] = None,
        assistant_token_mask: Optional[torch.Tensor] = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Prepares the inputs of a step, without what belongs to an assistant."""
        return super().prepare_inputs_for_generation(input_ids, **kwargs)

    def _get_candidate_generator(
        self,
        generation_config: GenerationConfig,
        input_ids: torch.Tensor,
        inputs_tensor: torch.Tensor,
        logits_processor: Any,
        model_kwargs: dict[str, Any],
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """Gives the assistant the days as it has encoded them itself."""
        if "assistant_key_values" in model_kwargs:
            model_kwargs = {
                **{name: value for name, value in model_kwargs.items() if not name.startswith("assistant_")},
                "sensor_key_values": model_kwargs["assistant_key_values"],
                "sensor_token_mask": model_kwargs["assistant_token_mask"],
            }
        return super()._get_candidate_generator(
            generation_config, input_ids, inputs_tensor, logits_processor, model_kwargs, *args, **kwargs
        )

    def _prompts(
        self,
        input_ids: Optional[torch.Tensor],
        attention_mask: Optional[torch.Tensor],
        rows: int,
        bos: Any,
        eos: Any,
        device: torch.device,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns the prompts with their padding on the left, and their mask."""
        if input_ids is None:
            if bos is None:
                raise ValueError(
                    "There is no token to start a caption from: give `input_ids`, or set `bos_token_id` in"
                    " `model.generation_config`."
                )
            # Not the model's own device: offloaded weights are nowhere between two calls.
            input_ids = torch.full((rows, 1), int(bos), device=device)
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
            raise ValueError(f"Texts {empty} in `input_ids` have no token to continue from.")
        order = mask.argsort(dim=1, stable=True)[:, -int(mask.sum(dim=1).max()) :]
        input_ids, mask = input_ids.gather(1, order), mask.gather(1, order)
        pad = self.config.text_config.pad_token_id
        if pad is not None:
            input_ids = input_ids.masked_fill(mask == 0, pad)
        return input_ids.expand(rows, -1).contiguous(), mask.expand(rows, -1).contiguous()


__all__ = ["SensorLMGenerationMixin"]
