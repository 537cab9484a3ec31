"""Weight-for-weight parity with transformers' SigLIP: an independent implementation of the same structure."""

from __future__ import annotations

import pytest
import torch
from model_cases import CHANNELS, MINUTES, days, shake, small_model, texts
from transformers import SiglipTextConfig, SiglipTextModel, SiglipVisionConfig, SiglipVisionModel

from sensorlm_hf.modeling import SensorLMSensorConfig, SensorLMSensorModel, SensorLMTextConfig, SensorLMTextModel

SHAPE = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-6,
}
PATCH = 2
SIDE = 8


def siglip_vision() -> SiglipVisionModel:
    torch.manual_seed(0)
    config = SiglipVisionConfig(**SHAPE, image_size=SIDE, patch_size=PATCH, num_channels=1, attn_implementation="eager")
    model = SiglipVisionModel(config).eval()
    shake(model)
    return model


def our_tower(reference: SiglipVisionModel, attention: str) -> SensorLMSensorModel:
    """A tower over an 8 minutes x 8 channels plane with 2 x 2 patches, and the reference's weights."""
    config = SensorLMSensorConfig(
        **SHAPE, window_minutes=SIDE, num_channels=SIDE, patch_minutes=PATCH, patch_channels=PATCH,
        attn_implementation=attention,
    )  # fmt: skip
    model = SensorLMSensorModel(config).eval()
    weights = dict(reference.state_dict())
    convolution = weights["embeddings.patch_embedding.weight"]
    weights["embeddings.patch_embedding.weight"] = convolution.flatten(1)
    for kind in ("weight", "bias"):
        packed = weights.pop(f"head.attention.in_proj_{kind}").chunk(3)
        for name, part in zip(("q_proj", "k_proj", "v_proj"), packed, strict=True):
            weights[f"head.attention.{name}.{kind}"] = part
    model.load_state_dict(weights, strict=True)
    return model


def gradients(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: parameter.grad for name, parameter in model.named_parameters()}


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_sensor_tower_is_siglips_vision_tower(attention):
    reference = siglip_vision()
    model = our_tower(reference, attention)
    plane = days(3, minutes=SIDE, channels=SIDE)
    expected, output = reference(plane[:, None]), model(plane)
    torch.testing.assert_close(output.last_hidden_state, expected.last_hidden_state, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(output.pooler_output, expected.pooler_output, atol=1e-5, rtol=1e-5)

    weight = torch.randn(expected.pooler_output.shape, generator=torch.Generator().manual_seed(5))
    (expected.pooler_output * weight).sum().backward()
    (output.pooler_output * weight).sum().backward()
    theirs, ours = gradients(reference), gradients(model)
    torch.testing.assert_close(
        ours["embeddings.patch_embedding.weight"], theirs["embeddings.patch_embedding.weight"].flatten(1),
        atol=1e-5, rtol=1e-4,
    )  # fmt: skip
    queries = theirs["head.attention.in_proj_weight"].chunk(3)[0]
    torch.testing.assert_close(ours["head.attention.q_proj.weight"], queries, atol=1e-5, rtol=1e-4)
    shared = set(ours) & set(theirs) - {"embeddings.patch_embedding.weight"}
    assert len(shared) > 50
    for name in shared:
        torch.testing.assert_close(ours[name], theirs[name], atol=1e-5, rtol=1e-4, msg=lambda m, n=name: f"{n}: {m}")


def test_patch_embedding_is_a_convolution():
    tower = small_model("siglip").sensor_model
    embeddings = tower.embeddings
    config = tower.config
    values = days(2)
    kernel = embeddings.patch_embedding.weight.view(-1, 1, config.patch_minutes, config.patch_channels)
    grid = torch.nn.functional.conv2d(values[:, None], kernel, embeddings.patch_embedding.bias, stride=kernel.shape[2:])
    assert grid.shape[2:] == (MINUTES // 10, CHANNELS // 2)
    expected = grid.flatten(2).transpose(1, 2) + embeddings.position_embedding.weight
    tokens, observed = embeddings(values)
    assert observed is None
    torch.testing.assert_close(tokens, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_text_tower_is_siglips(attention):
    torch.manual_seed(0)
    ids, _ = texts((9, 9, 9))
    config = SiglipTextConfig(**SHAPE, vocab_size=41, max_position_embeddings=9, projection_size=24)
    reference = SiglipTextModel(config).eval()
    shake(reference)
    model = SensorLMTextModel(
        SensorLMTextConfig(
            **SHAPE, vocab_size=41, max_position_embeddings=9, projection_size=24, attn_implementation=attention
        )
    ).eval()
    model.load_state_dict(reference.state_dict(), strict=True)
    expected, output = reference(ids), model(ids)
    torch.testing.assert_close(output.last_hidden_state, expected.last_hidden_state, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(output.pooler_output, expected.pooler_output, atol=1e-5, rtol=1e-5)
    weight = torch.randn(expected.pooler_output.shape, generator=torch.Generator().manual_seed(5))
    (expected.pooler_output * weight).sum().backward()
    (output.pooler_output * weight).sum().backward()
    theirs, ours = gradients(reference), gradients(model)
    assert set(ours) == set(theirs)
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], atol=1e-5, rtol=1e-4, msg=lambda m, n=name: f"{n}: {m}")


def test_padded_texts_equal_siglips_attention_mask():
    """Up to pooling: SigLIP pools the last position, padding or not; ours the last token."""
    torch.manual_seed(0)
    ids, mask = texts((9, 5))
    reference = SiglipTextModel(SiglipTextConfig(**SHAPE, vocab_size=41, max_position_embeddings=9)).eval()
    shake(reference)
    model = SensorLMTextModel(SensorLMTextConfig(**SHAPE, vocab_size=41, max_position_embeddings=9)).eval()
    model.load_state_dict(reference.state_dict(), strict=True)
    states = reference(ids, attention_mask=mask).last_hidden_state
    output = model(ids, mask)
    torch.testing.assert_close(output.last_hidden_state[1, :5], states[1, :5], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(output.pooler_output[1], reference.head(states[1, 4]), atol=1e-5, rtol=1e-5)
