"""Comparisons with independent implementations: `(what, ours, theirs)` for the tests and for benchmarks/parity.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from model_cases import days, gaps, in_steps, shake, small_config, small_model, texts, to_left
from transformers import DynamicCache, SiglipTextConfig, SiglipTextModel, SiglipVisionConfig, SiglipVisionModel

from sensorlm_hf.modeling import (
    SensorLMForConditionalGeneration,
    SensorLMModel,
    SensorLMSensorConfig,
    SensorLMSensorModel,
    SensorLMTextConfig,
    SensorLMTextModel,
    clip_loss,
    pretraining_class,
    siglip_loss,
)

Comparison = tuple[str, torch.Tensor, torch.Tensor]

SHAPE = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
}
FIXED = {"hidden_act": "gelu", "layer_norm_eps": 1e-6}
"""Settings fixed in SensorLM's configurations."""
PATCH = 2
SIDE = 8


def gradients(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}


def split_pooling_head(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Renames SigLIP's vision weights, or their gradients: a linear patch embedding, and separate q, k and v."""
    weights = dict(weights)
    weights["embeddings.patch_embedding.weight"] = weights["embeddings.patch_embedding.weight"].flatten(1)
    for kind in ("weight", "bias"):
        packed = weights.pop(f"head.attention.in_proj_{kind}").chunk(3)
        for name, part in zip(("q_proj", "k_proj", "v_proj"), packed, strict=True):
            weights[f"head.attention.{name}.{kind}"] = part
    return weights


def siglip_text(**values: Any) -> tuple[SiglipTextModel, SensorLMTextModel]:
    """A SigLIP text tower and ours with the same weights; `values` apply to both configurations."""
    torch.manual_seed(0)
    shape = {**SHAPE, "vocab_size": 41, "max_position_embeddings": 9}
    reference = SiglipTextModel(
        SiglipTextConfig(**shape, **FIXED, projection_size=values.get("projection_size", 32))
    ).eval()
    shake(reference)
    model = SensorLMTextModel(SensorLMTextConfig(**shape, **values)).eval()
    model.load_state_dict(reference.state_dict(), strict=True)
    return reference, model


def _backward(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    weight = torch.randn(theirs.shape, generator=torch.Generator().manual_seed(5))
    (theirs * weight).sum().backward()
    (ours * weight).sum().backward()


def sensor_tower(attention: str) -> Iterator[Comparison]:
    """An 8-minute x 8-channel plane with 2 x 2 patches through transformers' SigLIP vision tower and ours."""
    torch.manual_seed(0)
    config = SiglipVisionConfig(
        **SHAPE, **FIXED, image_size=SIDE, patch_size=PATCH, num_channels=1, attn_implementation="eager"
    )
    reference = SiglipVisionModel(config).eval()
    shake(reference)
    model = SensorLMSensorModel(
        SensorLMSensorConfig(
            **SHAPE, window_minutes=SIDE, num_channels=SIDE, patch_minutes=PATCH, patch_channels=PATCH,
            attn_implementation=attention,
        )
    ).eval()  # fmt: skip
    model.load_state_dict(split_pooling_head(reference.state_dict()), strict=True)
    plane = days(3, minutes=SIDE, channels=SIDE)
    expected, output = reference(plane[:, None]), model(plane)
    yield "token states", output.last_hidden_state, expected.last_hidden_state
    yield "pooled", output.pooler_output, expected.pooler_output
    _backward(output.pooler_output, expected.pooler_output)
    theirs, ours = split_pooling_head(gradients(reference)), gradients(model)
    assert set(ours) == set(theirs)
    for name in ours:
        yield f"gradient of {name}", ours[name], theirs[name]


def text_tower(attention: str) -> Iterator[Comparison]:
    """Full-length texts through transformers' SigLIP text tower and ours."""
    reference, model = siglip_text(projection_size=24, attn_implementation=attention)
    ids, _ = texts((9, 9, 9))
    expected, output = reference(ids), model(ids)
    yield "token states", output.last_hidden_state, expected.last_hidden_state
    yield "pooled", output.pooler_output, expected.pooler_output
    _backward(output.pooler_output, expected.pooler_output)
    theirs, ours = gradients(reference), gradients(model)
    assert set(ours) == set(theirs)
    for name in ours:
        yield f"gradient of {name}", ours[name], theirs[name]


def coca(open_clip: Any, attention: str = "sdpa") -> Iterator[Comparison]:
    """Days and padded captions through open_clip's CoCa and its loss, and through ours.

    Both sides use our sensor tower (compared above); the rest of the reference is open_clip's.
    """
    from open_clip_reference import copy_weights, reference_coca, translate

    config = small_config(
        "coca", max_position_embeddings=9, intermediate_size=4 * 32
    )  # the only one in open_clip's decoder
    torch.manual_seed(0)
    model = SensorLMForConditionalGeneration(config).eval()
    model.set_attn_implementation(attention)
    shake(model)
    reference = reference_coca(open_clip, config, SensorLMModel(config).sensor_model)
    shake(reference, 1)
    reference.visual.tower.load_state_dict(model.base_model.sensor_model.state_dict())
    with torch.no_grad():
        reference.logit_scale.fill_(2.0)
    copy_weights(reference.eval(), model)
    values, (ids, mask) = days(), texts((9, 6, 9, 3))

    expected = reference(values, ids)
    contrastive, caption = open_clip.CoCaLoss(caption_loss_weight=2.0, clip_loss_weight=1.0, pad_id=0)(
        *(expected[name] for name in ("image_features", "text_features", "logits", "labels", "logit_scale"))
    )
    output = model(values, None, ids, mask)
    scored = mask[:, :-1].bool()
    yield "class token", output.text_embeds, expected["text_features"]
    yield "sensor embedding", output.sensor_embeds, expected["image_features"]
    tokens = reference.text(ids)[1]
    yield "causal text states", output.text_model_output.last_hidden_state[mask.bool()], tokens[mask.bool()]
    yield "caption logits", output.logits[:, :-1][scored], expected["logits"][scored]
    yield "contrastive loss", output.contrastive_loss, contrastive
    yield "caption loss", output.caption_loss, caption / 2.0
    yield "loss", output.loss, contrastive + caption

    (contrastive + caption).backward()
    output.loss.backward()
    theirs, ours = translate(gradients(reference), config), gradients(model)
    tower = {name: value for name, value in gradients(reference.visual.tower).items()}
    ours = {name.removeprefix("sensorlm."): value for name, value in ours.items()}
    for name in sorted(ours):
        if name == "text_model.head.bias":
            continue  # not in open_clip's projection
        other = theirs[name] if not name.startswith("sensor_model.") else tower[name.removeprefix("sensor_model.")]
        yield f"gradient of {name}", ours[name], other


def losses(open_clip: Any, objective: str) -> Iterator[Comparison]:
    """The contrastive losses compared with open_clip's classes, in float64."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(2, 7, 16, dtype=torch.float64, generator=generator)
    leaves: dict[str, list[torch.Tensor]] = {"ours": [], "theirs": []}
    results = {}
    for side, parts in leaves.items():
        sensor, text = (torch.nn.functional.normalize(part, dim=-1).requires_grad_() for part in rows)
        scale = torch.tensor(10.0, dtype=torch.float64, requires_grad=True)
        bias = torch.tensor(-10.0, dtype=torch.float64, requires_grad=True)
        parts += [sensor, text, scale, bias]
        if objective == "siglip":
            loss = siglip_loss if side == "ours" else open_clip.loss.SigLipLoss()
            results[side] = loss(sensor, text, scale, bias)
        else:
            loss = clip_loss if side == "ours" else open_clip.loss.ClipLoss()
            results[side] = loss(sensor, text, scale)
        results[side].backward()
    yield "loss", results["ours"], results["theirs"]
    for name, ours, theirs in zip(("sensor", "text", "scale", "bias"), leaves["ours"], leaves["theirs"], strict=True):
        if ours.grad is not None or theirs.grad is not None:
            yield f"gradient of {name}", ours.grad, theirs.grad


def skipped_patches(objective: str) -> Iterator[Comparison]:
    """Days with gaps: skipping missing patches compared with attention masks over all patches."""
    torch.manual_seed(0)
    config = small_config(objective)
    model = pretraining_class(config)(config).eval()
    shake(model)
    values, mask = days(), gaps()
    for row in range(1, len(mask)):
        mask[row, : 30 * row] = False
    mask[0, 40:80] = False
    outputs = {}
    for skip in (True, False):
        model.base_model.sensor_model.skip_missing_patches = skip
        outputs[skip] = model(values, mask, *texts())
    assert outputs[True].sensor_model_output.token_index is not None
    yield "sensor embedding", outputs[True].sensor_embeds, outputs[False].sensor_embeds
    yield "loss", outputs[True].loss, outputs[False].loss


@torch.no_grad()
def cached_steps(objective: str) -> Iterator[Comparison]:
    """Caption logits token by token with a cache, compared with those of a single forward pass."""
    model = small_model(objective)
    values, mask = days(), gaps()
    ids, attention = to_left(*texts())
    full = model(values, mask, ids, attention).logits
    key_values, token_mask = model.encode_for_captions(values, mask)
    inputs = {
        "past_key_values": DynamicCache(config=model.config),
        "sensor_key_values": key_values,
        "sensor_token_mask": token_mask,
    }
    for step, output in in_steps(model, ids, attention, range(1, ids.shape[1] + 1), **inputs):
        real = attention[:, step].bool()
        yield f"caption logits of token {step.start}", output.logits[real], full[:, step][real]
