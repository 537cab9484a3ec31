"""Weight-for-weight parity with independent implementations: transformers' SigLIP and open_clip's CoCa and losses."""

from __future__ import annotations

from collections.abc import Iterable

import parity_cases as parity
import pytest
import torch
from model_cases import CHANNELS, MINUTES, days, small_model, texts
from open_clip_reference import import_open_clip


def check(comparisons: Iterable[parity.Comparison], at_least: int, atol: float = 1e-5, rtol: float = 1e-4) -> None:
    count = 0
    for name, ours, theirs in comparisons:
        tolerance = {"atol": atol, "rtol": rtol if name.startswith("gradient") else min(rtol, 1e-5)}
        torch.testing.assert_close(ours, theirs, **tolerance, msg=lambda m, n=name: f"{n}: {m}")
        count += 1
    assert count >= at_least


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_sensor_tower_matches_siglip_vision_tower(attention):
    check(parity.sensor_tower(attention), at_least=50)


def test_patch_embedding_matches_convolution():
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
def test_text_tower_matches_siglip(attention):
    check(parity.text_tower(attention), at_least=50)


def test_padded_texts_match_siglip_with_attention_mask():
    """Except for pooling: SigLIP pools the last position, even if it is padding; ours pools the last token."""
    ids, mask = texts((9, 5))
    reference, model = parity.siglip_text()
    states = reference(ids, attention_mask=mask).last_hidden_state
    output = model(ids, mask)
    torch.testing.assert_close(output.last_hidden_state[1, :5], states[1, :5], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(output.pooler_output[1], reference.head(states[1, 4]), atol=1e-5, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_coca_matches_open_clip(attention):
    check(parity.coca(import_open_clip(), attention), at_least=100)


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["clip", "siglip"])
def test_losses_match_open_clip(objective):
    check(parity.losses(import_open_clip(), objective), at_least=4, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("objective", ["siglip", "cap", "coca"])
def test_skipped_patches_match_masked_patches(objective):
    check(parity.skipped_patches(objective), at_least=2)


@pytest.mark.parametrize("objective", ["cap", "coca"])
def test_cached_generation_matches_uncached(objective):
    check(parity.cached_steps(objective), at_least=9)
