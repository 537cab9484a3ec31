"""The sensor tower with a head for labels or numbers of one's own: probing and fine-tuning."""

import copy
from typing import Any, Optional, Union

import torch
from torch import nn
from transformers.modeling_outputs import SequenceClassifierOutput

from .layers_sensorlm import SensorLMAttentionPoolingHead, _attention_mask, _flag, _mean_of_tokens
from .modeling_sensorlm import SensorLMPreTrainedModel, SensorLMSensorModel


class SensorLMForSensorClassification(SensorLMPreTrainedModel):
    """The sensor tower with a classification or regression head.

    `config.classifier_pooling` chooses the head: `"linear"` on the tower's embedding (for `cap` the mean of its token
    states), or `"attentive"`, which learns its own attention pooling first. `config.freeze_backbone` trains the head
    only, that is a probe. Checkpoints of [`SensorLMModel`] load into it; their text side is left out.

    `config.problem_type` is `"single_label_classification"`, `"multi_label_classification"` or `"regression"`; by
    default it follows from the labels: one output is a regression, integer labels are classes, others multi-label.

    Example:
        >>> config = SensorLMConfig.from_size("siglip", "tiny", freeze_backbone=True)
        >>> config.num_labels = 3
        >>> model = SensorLMForSensorClassification(config).eval()
        >>> model(torch.zeros(2, 1440, 26), labels=torch.tensor([0, 2])).logits.shape
        torch.Size([2, 3])
    """

    accepts_loss_kwargs = False
    _keys_to_ignore_on_load_unexpected = [r"^text_model\.", r"^decoder\.", r"^logit_", r"^sensor_model\.head\."]  # noqa: RUF012

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        if not config.num_labels:
            raise ValueError(f"`config.num_labels` must be at least 1, got {config.num_labels}.")
        attentive = config.classifier_pooling == "attentive"
        sensor_config = copy.deepcopy(config.sensor_config)
        sensor_config.use_head = sensor_config.use_head and not attentive
        self.sensor_model = SensorLMSensorModel(sensor_config)
        self.pooler = SensorLMAttentionPoolingHead(sensor_config) if attentive else None
        self.classifier = nn.Linear(sensor_config.hidden_size, config.num_labels)
        self.post_init()
        self._freeze()

    def _freeze(self) -> None:
        if self.config.freeze_backbone:
            self.sensor_model.requires_grad_(False)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, *args: Any, **kwargs: Any) -> Any:
        """Loads a model as `PreTrainedModel.from_pretrained` does; a frozen tower stays frozen."""
        result = super().from_pretrained(pretrained_model_name_or_path, *args, **kwargs)
        # Loading puts new parameters in place of those that the constructor froze.
        (result[0] if isinstance(result, tuple) else result)._freeze()
        return result

    def get_input_embeddings(self) -> nn.Module:
        """Returns the patch embedding."""
        return self.sensor_model.get_input_embeddings()

    def train(self, mode: bool = True) -> "SensorLMForSensorClassification":
        """Switches training mode; a frozen tower stays in evaluation mode."""
        super().train(mode)
        if self.config.freeze_backbone:
            self.sensor_model.eval()
        return self

    def forward(
        self,
        sensor_values: torch.Tensor,
        sensor_mask: Optional[torch.Tensor] = None,
        labels: Optional[torch.Tensor] = None,
        return_dict: Optional[bool] = None,
    ) -> Union[SequenceClassifierOutput, tuple]:
        """Classifies days.

        Args:
            sensor_values: `(B, T, C)` normalised values.
            sensor_mask: `(B, T, C)`, True = observed; `None` if everything is.
            labels: `(B,)` class numbers (-100 for rows that do not count), `(B, num_labels)` 0 or 1 for multi-label
                problems, `(B,)` or `(B, num_labels)` numbers for regression.
            return_dict: Whether to return an output object rather than a tuple.

        Returns:
            Output with `loss`, if labels are given, and `logits` `(B, num_labels)`.

        Raises:
            ValueError: If the labels' shape does not fit the problem.
        """
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.config.freeze_backbone):
            output = self.sensor_model(sensor_values, sensor_mask, return_dict=True)
        states, token_mask = output.last_hidden_state, output.token_mask
        if self.pooler is not None:
            pooled = self.pooler(states, _attention_mask(self.sensor_model.config, token_mask, 1))
        elif output.pooler_output is not None:
            pooled = output.pooler_output
        else:
            pooled = _mean_of_tokens(states, token_mask)
        logits = self.classifier(pooled)
        result = SequenceClassifierOutput(loss=None if labels is None else self._loss(logits, labels), logits=logits)
        return result if _flag(return_dict, self.config.return_dict) else result.to_tuple()

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
