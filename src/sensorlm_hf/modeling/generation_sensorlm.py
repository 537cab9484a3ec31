"""SensorLM with a caption decoder: caption loss, CoCa's joint loss, the forward pass of training and generation.

Shapes: `B` rows, `T` minutes, `C` channels, `K` sensor tokens, `L` text tokens, `V` vocabulary size.
"""

from typing import Any, Optional

import torch
from torch import nn
from transformers.cache_utils import Cache, DynamicCache
from transformers.processing_utils import Unpack
from transformers.utils import TransformersKwargs, auto_docstring
from transformers.utils.generic import can_return_tuple

from .configuration_sensorlm import SensorLMConfig
from .decoder_sensorlm import SensorLMDecoder
from .generation_mixin_sensorlm import SensorLMGenerationMixin
from .losses_sensorlm import caption_loss, caption_targets
from .modeling_sensorlm import SensorLMModel, SensorLMPreTrainedModel
from .optional_labels_sensorlm import OptionalLabels
from .outputs_sensorlm import SensorLMConditionalGenerationOutput, SensorLMOutput, SensorLMSensorOutput
from .text_backbone_sensorlm import SensorLMHead, SensorLMLanguageModelDecoder, SensorTextPretrainedMixin


class SensorLMForConditionalGeneration(
    SensorTextPretrainedMixin, SensorLMPreTrainedModel, SensorLMGenerationMixin, metaclass=OptionalLabels
):
    """A [`SensorLMModel`] with a decoder that writes captions, for the objectives `cap` and `coca`.

    Raises:
        ValueError: If the objective has no decoder. `forward` raises it if neither days nor texts are given, or a loss
            is requested that the inputs do not allow.

    Example:
        >>> config = SensorLMConfig.from_size("coca", "tiny", vocab_size=300)
        >>> model = SensorLMForConditionalGeneration(config).eval()
        >>> days, mask = torch.zeros(2, 1440, 26), torch.ones(2, 1440, 26, dtype=torch.bool)
        >>> texts = torch.tensor([[1, 7, 8, 2], [1, 9, 2, 0]])
        >>> model(days, mask, texts, (texts != 0).long()).logits.shape
        torch.Size([2, 4, 300])
        >>> model.generate(days, mask, max_new_tokens=3, min_new_tokens=3).shape
        torch.Size([2, 4])
    """

    _tied_weights_keys = {  # noqa: RUF012 - the base class reads it from the class
        "decoder.lm_head.weight": "sensorlm.text_model.embeddings.token_embedding.weight"
    }

    def __init__(self, config: SensorLMConfig) -> None:
        if not config.is_generative:
            raise ValueError(
                f"Objective {config.objective!r} has no decoder and writes no captions. Use SensorLMModel, or objective"
                " 'cap' or 'coca'."
            )
        super().__init__(config)
        # The mean over tokens can be taken over accumulated batches, a contrastive loss cannot.
        self.accepts_loss_kwargs = config.objective == "cap"
        self.sensorlm = SensorLMModel(config)
        if not config.text_config.is_language_model:  # type: ignore[union-attr]
            self.decoder: Any = SensorLMDecoder(config)
        else:
            self.decoder = SensorLMLanguageModelDecoder(config)
            embedding = self.get_input_embeddings()
            name = next(name for name, module in self.sensorlm.named_modules() if module is embedding)
            self._tied_weights_keys = {"decoder.lm_head.weight": f"sensorlm.{name}.weight"}
        self.post_init()

    def _check_loaded(self, source: Any, report: dict[str, Any], hub_options: dict[str, Any]) -> None:
        if source is None:  # a new model is asked for: there is no checkpoint that lacks anything
            return
        decoder = {name for name, _ in self.decoder.named_parameters(prefix="decoder")}
        if decoder <= report["missing_keys"]:
            # A contrastive checkpoint may get a decoder; one of this objective has lost it.
            saved, _ = SensorLMConfig.get_config_dict(source, **hub_options)
            if saved.get("objective") == self.config.objective:
                raise ValueError(
                    f"{source} holds a model without its decoder, which would start from random weights. Load it with"
                    " `SensorLMModel.from_pretrained`."
                )
        if any(name.startswith("decoder.language_model.") for name in report["missing_keys"]):
            raise ValueError(
                f"{source} holds its language model undivided, or divided differently, so the decoder of objective"
                f" {self.config.objective!r} would start from random layers. Build the model with"
                " `from_sensor_text_pretrained`, giving the checkpoint as `sensor_config`."
            )
        self.sensorlm._check_loaded(source, report, hub_options)

    def get_input_embeddings(self) -> nn.Module:
        """Returns the token embedding."""
        return self.sensorlm.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replaces the token embedding."""
        self.sensorlm.set_input_embeddings(value)

    def get_output_embeddings(self) -> nn.Module:
        """Returns the language-model head."""
        return self.decoder.lm_head

    def set_output_embeddings(self, new_embeddings: nn.Module) -> None:
        """Replaces the language-model head."""
        self.decoder.lm_head = new_embeddings

    def resize_token_embeddings(self, *args: Any, **kwargs: Any) -> Any:
        """Changes the vocabulary, also of a language model and its head."""
        head = self.decoder.lm_head
        result = super().resize_token_embeddings(*args, **kwargs)
        if isinstance(head, SensorLMHead) and self.decoder.lm_head is not head:
            resized = self.decoder.lm_head
            bias = resized.bias is not None
            self.decoder.lm_head = SensorLMHead(resized.in_features, resized.out_features, bias=bias, device="meta")
            self.decoder.lm_head.weight, self.decoder.lm_head.bias = resized.weight, resized.bias
            self.decoder.lm_head.softcap = head.softcap
            # `post_init` draws the weights of modules without this mark anew.
            self.decoder.lm_head._is_hf_initialized = True
        return result

    def get_position_embeddings(self) -> Optional[nn.Module]:
        """Returns the learned positions of the text; `None` where they are rotary."""
        return self.sensorlm.get_position_embeddings()

    def resize_position_embeddings(self, new_num_position_embeddings: int) -> None:
        """Changes the maximum text length; see [`SensorLMModel.resize_position_embeddings`]."""
        self.sensorlm.resize_position_embeddings(new_num_position_embeddings)

    def get_sensor_features(self, *args: Any, **kwargs: Any) -> Any:
        """Embeds days; see [`SensorLMModel.get_sensor_features`]."""
        return self.sensorlm.get_sensor_features(*args, **kwargs)

    def get_text_features(self, *args: Any, **kwargs: Any) -> Any:
        """Embeds texts; see [`SensorLMModel.get_text_features`]."""
        return self.sensorlm.get_text_features(*args, **kwargs)

    # ---- Losses

    def _caption_loss(
        self, hidden: torch.Tensor, logits: Optional[torch.Tensor], targets: torch.Tensor, num_items: Any
    ) -> torch.Tensor:
        """Scores the decoder's states; the head only runs on the scored positions, unless it has run already."""
        scored = targets != -100
        if logits is None:
            scores = self.decoder.lm_head(hidden[:, :-1][scored])
        else:
            scores = logits[:, :-1][scored]
        losses = self.sensorlm.global_losses if self.training else None
        if num_items is None and losses is not None and losses.is_needed:
            total = losses.total_over_processes(scored.sum())
            return losses.reduce_caption(caption_loss(scores, targets[scored], total=total))
        total = None if num_items is None else torch.as_tensor(num_items, device=scores.device)
        return caption_loss(scores, targets[scored], total=total)

    def joint_loss(
        self,
        contrastive: Optional[torch.Tensor],
        caption: Optional[torch.Tensor],
        statements: Optional[torch.Tensor] = None,
    ) -> Optional[torch.Tensor]:
        """Weights and adds the losses of the objective.

        Args:
            contrastive: The contrastive loss, if it was computed; `cap` has none.
            caption: The caption loss, if it was computed.
            statements: The loss of statements, if there are any; weighted like the contrastive loss.

        Returns:
            The weighted sum of those that were computed, unweighted for `cap`; `None` without any.
        """
        if self.config.objective == "cap":
            return caption
        contrast, write = self.config.contrastive_loss_weight, self.config.caption_loss_weight
        parts = ((contrast, contrastive), (write, caption), (contrast, statements))
        losses = [weight * loss for weight, loss in parts if loss is not None]
        return sum(losses[1:], losses[0]) if losses else None

    def _encode_for_generation(
        self,
        sensor_values: Optional[torch.Tensor],
        sensor_mask: Optional[torch.Tensor],
        input_ids: Optional[torch.Tensor],
        attention_mask: Optional[torch.Tensor],
        position_ids: Optional[torch.Tensor],
        past_key_values: Optional[Cache],
        **kwargs: Any,
    ) -> SensorLMOutput:
        """Runs the towers as far as generation needs them, without embeddings."""
        if input_ids is None:
            raise ValueError("Give the `input_ids` to continue.")
        sensor_output: Optional[SensorLMSensorOutput] = None
        if sensor_values is not None:
            sensor_output = self.sensorlm.sensor_model(sensor_values, sensor_mask, return_dict=True, **kwargs)
        text_output = self.sensorlm.text_model(
            input_ids, attention_mask, position_ids, past_key_values, return_dict=True, **kwargs
        )
        return SensorLMOutput(sensor_model_output=sensor_output, text_model_output=text_output)

    @can_return_tuple
    @auto_docstring(custom_intro="Embeds days and texts, scores captions and computes the losses of the objective.")
    def forward(
        self,
        sensor_values: Optional[torch.Tensor] = None,
        sensor_mask: Optional[torch.Tensor] = None,
        input_ids: Optional[torch.Tensor] = None,
        attention_mask: Optional[torch.Tensor] = None,
        labels: Optional[torch.Tensor] = None,
        position_ids: Optional[torch.Tensor] = None,
        past_key_values: Optional[Cache] = None,
        use_cache: Optional[bool] = None,
        sensor_key_values: Optional[torch.Tensor] = None,
        sensor_token_mask: Optional[torch.Tensor] = None,
        text_group_ids: Optional[torch.Tensor] = None,
        return_loss: bool = True,
        logits_to_keep: int = 0,
        **kwargs: Unpack[TransformersKwargs],
    ) -> SensorLMConditionalGenerationOutput:
        r"""
        sensor_values (`torch.FloatTensor` of shape `(batch_size, minutes, channels)`, *optional*):
            Normalised values (z-scores).
        sensor_mask (`torch.BoolTensor` of shape `(batch_size, minutes, channels)`, *optional*):
            True for observed values; by default all are.
        input_ids (`torch.LongTensor` of shape `(batch_size, sequence_length)`, *optional*):
            Token ids.
        attention_mask (`torch.Tensor` of shape `(batch_size, cached + sequence_length)`, *optional*):
            1 for tokens and 0 for padding.
        labels (`torch.LongTensor` of shape `(batch_size, sequence_length)`, *optional*):
            Caption tokens to score, -100 for those that do not count; they are shifted inside. By default `input_ids`
            without the padding.
        position_ids (`torch.LongTensor` of shape `(batch_size, sequence_length)`, *optional*):
            Positions; by default counted from the attention mask.
        past_key_values (`Cache`, *optional*):
            Cache of earlier tokens, for generation.
        use_cache (`bool`, *optional*):
            Whether to create and return a cache.
        sensor_key_values (`torch.Tensor`, *optional*):
            `(batch_size, layers, 2, heads, sensor_tokens, head_size)`: what the decoder attends to, from
            [`encode_for_captions`], instead of `sensor_values`.
        sensor_token_mask (`torch.BoolTensor` of shape `(batch_size, sensor_tokens)`, *optional*):
            Its mask.
        text_group_ids (`torch.LongTensor` of shape `(batch_size,)`, *optional*):
            Equal for texts that say the same: such texts are positives of each other's recordings. By default every
            text is its own group.
        return_loss (`bool`, *optional*, defaults to `True`):
            Whether to compute all losses of the objective, where the inputs allow it. Without, the caption loss is
            still computed for given `labels`.
        logits_to_keep (`int`, *optional*, defaults to 0):
            Number of last positions to compute logits for; 0 for all.
        num_items_in_batch (`int` or `torch.Tensor`, *optional*):
            Divisor of the summed caption loss; by default the number of scored tokens in these inputs.
        """
        num_items = kwargs.pop("num_items_in_batch", None)
        wanted: dict[str, Any] = {
            name: kwargs.get(name, getattr(self.config, name)) for name in ("output_attentions", "output_hidden_states")
        }
        if wanted["output_hidden_states"] not in (None, False, True):
            # Indices count the states of text tower and decoder together.
            kwargs["output_hidden_states"] = True
        if use_cache and past_key_values is None:
            past_key_values = DynamicCache(config=self.config)
        generating = past_key_values is not None
        base: Any
        towers = (sensor_values, sensor_mask, input_ids, attention_mask, position_ids)
        if generating or sensor_key_values is not None:
            base = self._encode_for_generation(*towers, past_key_values, **kwargs)
        else:
            base = self.sensorlm(
                *towers, text_group_ids=text_group_ids, return_loss=return_loss, return_dict=True, **kwargs
            )
        sources: dict[str, Any] = {"sensor_token_mask": sensor_token_mask, "sensor_key_values": sensor_key_values}
        if sensor_key_values is None and base.sensor_model_output is not None and input_ids is not None:
            sources["sensor_tokens"], sources["sensor_token_mask"] = self.decoder.sensor_tokens(
                base.sensor_model_output
            )
        scores_captions = labels is not None or (return_loss and not generating and sensor_values is not None)
        # In training only what a requested loss needs is computed.
        computes_logits = generating or not self.training
        logits = caption = None
        traces: dict[str, Any] = {}
        if (scores_captions or computes_logits) and self._has_decoder_inputs(input_ids, labels, sources):
            decoded = self.decoder(
                base.text_model_output.last_hidden_state,
                attention_mask,
                past_key_values=past_key_values,
                **sources,
                **wanted,
            )
            hidden = decoded.last_hidden_state
            traces = _joint_traces(base.text_model_output, decoded, wanted["output_hidden_states"])
            if computes_logits:
                logits = self.decoder.lm_head(hidden[:, -logits_to_keep:] if logits_to_keep else hidden)
            if scores_captions:
                targets = caption_targets(input_ids, attention_mask, labels)
                caption = self._caption_loss(hidden, None if logits_to_keep else logits, targets, num_items)
        return SensorLMConditionalGenerationOutput(
            **{**base, "loss": self.joint_loss(base.contrastive_loss, caption, base.statement_loss)},
            caption_loss=caption,
            logits=logits,
            past_key_values=past_key_values,
            **traces,
        )

    def _has_decoder_inputs(
        self, input_ids: Optional[torch.Tensor], labels: Optional[torch.Tensor], sources: dict[str, Any]
    ) -> bool:
        """Whether there is one text for each recording.

        Raises:
            ValueError: In training or with labels, if there is not.
        """
        source = sources.get("sensor_tokens", sources["sensor_key_values"])
        if source is None or input_ids is None:
            return False
        rows, texts = source.shape[0], input_ids.shape[0]  # `len` would fix the batch size of an exported program
        if rows != texts and (self.training or labels is not None):
            raise ValueError(f"A loss needs one text for each recording, got {rows} recordings and {texts} texts.")
        return rows == texts


def _joint_traces(text: Any, decoded: Any, selected: Any) -> dict[str, Any]:
    """Joins hidden states and attention weights of the text tower and the decoder, as far as there are any.

    Args:
        text: Output of the text tower.
        decoded: Output of the decoder.
        selected: Value of `output_hidden_states`: whether, or one or several indices.
    """
    length = decoded.last_hidden_state.shape[1]
    traces: dict[str, Any] = {}
    # A class token after the text, which no other token attends to, is left out.
    if decoded.hidden_states is not None and text.hidden_states is not None:
        joint = (*(states[:, :length] for states in text.hidden_states), *decoded.hidden_states)
        if not isinstance(selected, bool):
            kept = {index % len(joint) for index in ([selected] if isinstance(selected, int) else selected)}
            joint = tuple(states if index in kept else None for index, states in enumerate(joint))
        traces["hidden_states"] = joint
    if decoded.attentions is not None and text.attentions is not None:
        own = (w[:, :, :length, : w.shape[3] - w.shape[2] + length] for w in text.attentions)
        traces["attentions"] = (*own, *decoded.attentions)
        traces["cross_attentions"] = decoded.cross_attentions
    return traces


__all__ = ["SensorLMForConditionalGeneration"]
