"""Feature extraction: one embedding per day of wearable data, or one vector per patch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from .sensor_pipeline_base import SensorPipeline


class SensorFeatureExtractionPipeline(SensorPipeline):
    """Embeds days, for probes, search and clustering.

    Example:
        ```python
        import sensorlm_hf
        from transformers import pipeline

        embed = pipeline("sensor-feature-extraction")
        embed(day).shape  # (192,)
        embed([day, day], batch_size=2)  # a list of two arrays
        ```

    See [`SensorPipeline`] for inputs, outputs and constructor arguments.
    """

    def __call__(self, inputs: Any, **kwargs: Any) -> Any:
        """Embeds one or more days.

        Args:
            inputs: One or more days, see [`SensorPipeline`].
            kwargs: Options, which may also be passed to the constructor:

                - `pool` (`bool`): True (default) for one vector per day; False for the sensor tower's outputs, one
                  vector per patch.
                - `normalize` (`bool`): whether vectors have unit norm; defaults to True for the embedding, which is
                  then the one compared with text, and to False for patches.
                - `return_tensors` (`bool`): return torch tensors on the CPU instead of numpy arrays; defaults to False.
                - `batch_size`, `num_workers`, `timezone`, `columns`, `allow_empty`: see [`SensorPipeline`].

        Returns:
            For each day, a float32 array of shape `(D,)`, or `(patches, D)` with `pool=False`: patches are ordered by
            time, with channels varying fastest, and patches without observed values are zero.

        Raises:
            ValueError: If a day is malformed.
            TypeError: If an option is neither True nor False.
        """
        return super().__call__(inputs, **kwargs)

    def _sanitize_parameters(
        self,
        pool: bool | None = None,
        normalize: bool | None = None,
        return_tensors: bool | None = None,
        timezone: str | None = None,
        columns: Sequence[str] | None = None,
        allow_empty: bool | None = None,
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        given = {"pool": pool, "normalize": normalize, "return_tensors": return_tensors}
        options = {name: value for name, value in given.items() if value is not None}
        for name, value in options.items():
            if not isinstance(value, bool):
                raise TypeError(f"`{name}` must be True or False, got {value!r}.")
        postprocess_params = {name: options.pop(name) for name in ("return_tensors",) if name in options}
        return self._day_parameters(timezone, columns, allow_empty), options, postprocess_params

    def _forward(
        self, model_inputs: dict[str, torch.Tensor], pool: bool = True, normalize: bool | None = None
    ) -> dict[str, torch.Tensor]:
        tower = self.model.get_sensor_features(**model_inputs)
        if pool:
            vectors = tower.pooler_output.float()
        else:
            states, counts = tower.last_hidden_state.float(), tower.token_mask
            vectors = states if counts is None else states * counts[:, :, None]
            if tower.token_index is not None:  # the tower moved observed patches to the front
                config = self.model.config.sensor_config
                patches = model_inputs["sensor_values"].shape[1] // config.patch_minutes * config.num_channel_patches
                grid = vectors.new_zeros(len(vectors), patches, vectors.shape[-1])
                vectors = grid.scatter(1, tower.token_index[:, :, None].expand_as(vectors), vectors)
        if pool if normalize is None else normalize:
            vectors = torch.nn.functional.normalize(vectors, dim=-1)
        return {"vectors": vectors}

    def postprocess(self, model_outputs: dict[str, torch.Tensor], return_tensors: bool = False) -> Any:
        """Returns the vectors of one day."""
        vectors = model_outputs["vectors"][0]
        return vectors if return_tensors else vectors.numpy()
