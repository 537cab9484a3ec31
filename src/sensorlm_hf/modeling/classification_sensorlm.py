"""The sensor tower with a classification or regression head: probing and fine-tuning."""

from typing import Any, Optional

import torch
from torch import nn
from transformers.modeling_outputs import SequenceClassifierOutput
from transformers.processing_utils import Unpack
from transformers.utils import TransformersKwargs, auto_docstring
from transformers.utils.generic import can_return_tuple

from .configuration_sensorlm import SensorLMConfig
from .layers_sensorlm import SensorLMAttentionPoolingHead
from .modeling_sensorlm import SensorLMPreTrainedModel, SensorLMSensorModel


class SensorLMForSensorClassification(SensorLMPreTrainedModel):
    """The sensor tower with a classification or regression head.

    `config.classifier_pooling` chooses the head: `"linear"` on the tower's embedding (for `cap` the mean of its token
    states), or `"attentive"`, which learns its own attention pooling first. [`freeze_base_model`] turns fine-tuning
    into probing. Checkpoints of [`SensorLMModel`] and [`SensorLMForConditionalGeneration`] load into it; their text
    side is left out.

    `config.problem_type` is `"single_label_classification"`, `"multi_label_classification"` or `"regression"`; by
    default it follows from the labels: one output is a regression, integer labels are classes, others multi-label.

    Example:
        >>> config = SensorLMConfig.from_size("siglip", "tiny")
        >>> config.num_labels = 3
        >>> model = SensorLMForSensorClassification(config).eval()
        >>> model(torch.zeros(2, 1440, 26), labels=torch.tensor([0, 2])).logits.shape
        torch.Size([2, 3])
    """

    _keys_to_ignore_on_load_unexpected = [  # noqa: RUF012 - the base class reads it from the class
        r"^(sensorlm\.)?text_model\.",
        r"^decoder\.",
        r"^(sensorlm\.)?logit_",
        r"^(sensorlm\.)?sensor_model\.head\.",
    ]

    def __init__(self, config: SensorLMConfig) -> None:
        super().__init__(config)
        if not config.num_labels:
            raise ValueError(f"`config.num_labels` must be at least 1, got {config.num_labels}.")
        sensor: Any = config.sensor_config
        attentive = config.classifier_pooling == "attentive"
        self.sensor_model = SensorLMSensorModel(sensor, add_pooling_layer=config.is_contrastive and not attentive)
        self.pooler = SensorLMAttentionPoolingHead(sensor) if attentive else None
        self.classifier = nn.Linear(sensor.hidden_size, config.num_labels)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """Returns the patch embedding."""
        return self.sensor_model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replaces the patch embedding."""
        self.sensor_model.set_input_embeddings(value)

    def freeze_base_model(self) -> None:
        """Excludes the sensor tower from training, so that only the head is trained (probing)."""
        self.sensor_model.requires_grad_(False)

    def train(self, mode: bool = True) -> "SensorLMForSensorClassification":
        """Switches training mode; a frozen tower stays in evaluation mode."""
        super().train(mode)
        if not any(parameter.requires_grad for parameter in self.sensor_model.parameters()):
            self.sensor_model.eval()
        return self

    @can_return_tuple
    @auto_docstring(custom_intro="Classifies days.")
    def forward(
        self,
        sensor_values: torch.Tensor,
        sensor_mask: Optional[torch.Tensor] = None,
        labels: Optional[torch.Tensor] = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> SequenceClassifierOutput:
        r"""
        sensor_values (`torch.FloatTensor` of shape `(batch_size, minutes, channels)`):
            Normalised values (z-scores).
        sensor_mask (`torch.BoolTensor` of shape `(batch_size, minutes, channels)`, *optional*):
            True for observed values; by default all are.
        labels (`torch.Tensor`, *optional*):
            `(batch_size,)` class numbers (-100 for rows that do not count), `(batch_size, num_labels)` 0 or 1 for
            multi-label problems, `(batch_size,)` or `(batch_size, num_labels)` numbers for regression.
        """
        output = self.sensor_model(sensor_values, sensor_mask, return_dict=True, **kwargs)
        pooled = output.pooler_output
        if self.pooler is not None:
            pooled = self.pooler(output.last_hidden_state, output.token_mask)
        logits = self.classifier(pooled)
        return SequenceClassifierOutput(
            loss=None if labels is None else self._loss(logits, labels),
            logits=logits,
            hidden_states=output.hidden_states,
            attentions=output.attentions,
        )

    def _loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        problem = self.config.problem_type
        if problem is None:
            if self.config.num_labels == 1:
                problem = "regression"
            elif labels.is_floating_point() or labels.dtype == torch.bool:
                problem = "multi_label_classification"
            else:
                problem = "single_label_classification"
        logits = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
        if problem == "single_label_classification":
            expected: tuple[int, ...] = (len(logits),)
        else:
            expected = tuple(logits.shape)
            if labels.ndim == 1 and self.config.num_labels == 1:
                labels = labels[:, None]
        if tuple(labels.shape) != expected:
            raise ValueError(f"`labels` must have shape {expected} for {problem}, got {tuple(labels.shape)}.")
        if problem == "single_label_classification":
            return nn.functional.cross_entropy(logits, labels.long())
        if problem == "multi_label_classification":
            return nn.functional.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype))
        return nn.functional.mse_loss(logits, labels.to(logits.dtype))


__all__ = ["SensorLMForSensorClassification"]
