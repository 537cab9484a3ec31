"""Missing data: masked values have no effect, and skipping masked patches does not change the outputs."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from model_cases import CHANNELS, MINUTES, days, gaps, small_model, texts

from sensorlm_hf.modeling import SensorLMConfig, load_pretrained
from sensorlm_hf.modeling.modeling_sensorlm import (
    _SPREAD_OF_BLOCK,
    _SPREAD_OF_STATISTICS,
    _TYPICAL_BLOCK,
    _TYPICAL_STATISTICS,
    block_statistics,
    window_statistics,
)

MODELS = {
    "siglip": small_model("siglip"),
    "cap": small_model("cap", embed_statistics=True),
    "coca": small_model("coca", embed_statistics=True),
    "clip": small_model("clip", embed_statistics=30),
}


def close(a: torch.Tensor, b: torch.Tensor) -> None:
    torch.testing.assert_close(a, b, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("objective", list(MODELS))
@pytest.mark.parametrize("junk", [1e6, float("nan"), float("inf")])
def test_masked_values_have_no_effect(objective, junk):
    model, values, mask = MODELS[objective], days(), gaps()
    ids, attention_mask = texts()
    dirty = torch.where(mask, values, torch.full_like(values, junk))
    clean, spoilt = model(values, mask, ids, attention_mask), model(dirty, mask, ids, attention_mask)
    assert torch.equal(clean.sensor_embeds, spoilt.sensor_embeds)
    assert torch.equal(clean.loss, spoilt.loss)
    assert torch.isfinite(clean.loss)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), share=st.floats(0, 1), rows=st.integers(1, 4), block=st.sampled_from([1, 10, 30]))
def test_skipping_matches_masking(seed, share, rows, block):
    model, values = MODELS["coca"], days(rows, seed)
    generator = torch.Generator().manual_seed(seed)
    mask = torch.rand(rows, MINUTES // block, CHANNELS, generator=generator) >= share
    mask = mask.repeat_interleave(block, dim=1)
    tower = model.base_model.sensor_model
    with torch.no_grad():
        try:
            tower.skip_missing_patches = False
            full = model.base_model.sensor_model(values, mask)
            full_tokens, _ = model.encode_for_captions(values, mask)
        finally:
            tower.skip_missing_patches = True
        short = model.base_model.sensor_model(values, mask)
        tokens, _ = model.encode_for_captions(values, mask)
        alone = model.base_model.sensor_model(values[-1:], mask[-1:])
        dirty = model.base_model.sensor_model(values.masked_fill(~mask, 77.0), mask)
    close(short.pooler_output, full.pooler_output)
    close(tokens, full_tokens)
    close(short.pooler_output[-1:], alone.pooler_output)
    assert torch.equal(dirty.pooler_output, short.pooler_output)
    assert torch.isfinite(short.pooler_output).all()
    if short.token_index is not None:
        counted = torch.ones_like(short.token_index, dtype=torch.bool) if short.token_mask is None else short.token_mask
        index = short.token_index[:, :, None].expand(-1, -1, full.last_hidden_state.shape[2])
        close(short.last_hidden_state[counted], full.last_hidden_state.gather(1, index)[counted])


def test_patches_without_observations_are_skipped():
    model, values = MODELS["siglip"], days(2)
    mask = torch.zeros(2, MINUTES, CHANNELS, dtype=torch.bool)
    mask[0, :40] = True  # 4 steps x 3 channel groups
    mask[1, 5, 0] = True  # one value: one patch
    output = model.base_model.sensor_model(values, mask)
    assert output.last_hidden_state.shape[1] == 12
    assert output.token_mask.sum(dim=1).tolist() == [12, 1]
    assert output.token_index[0].tolist() == list(range(12))
    assert output.token_index[1, 0].item() == 0


def test_tokens_are_not_skipped_for_few_gaps():
    mask = torch.ones(1, MINUTES, CHANNELS, dtype=torch.bool)
    mask[:, :10] = False
    output = MODELS["siglip"].sensor_model(days(1), mask)
    assert output.token_index is None
    assert output.token_mask.sum().item() == 33


def test_a_full_mask_equals_no_mask():
    for model in MODELS.values():
        values = days(2)
        with_mask = model.base_model.sensor_model(values, torch.ones_like(values, dtype=torch.bool))
        without = model.base_model.sensor_model(values)
        assert with_mask.token_mask is None
        assert torch.equal(with_mask.last_hidden_state, without.last_hidden_state)


@pytest.mark.parametrize("objective", list(MODELS))
@pytest.mark.parametrize("skip", [True, False])
def test_empty_day_gives_finite_outputs(objective, skip):
    model = MODELS[objective]
    values, mask = days(3), gaps(3)
    mask[1] = False
    try:
        model.base_model.sensor_model.skip_missing_patches = skip
        batch = model.get_sensor_features(values, mask).pooler_output
        alone = model.get_sensor_features(values[1:2] * 0 + 3, mask[1:2]).pooler_output
    finally:
        model.base_model.sensor_model.skip_missing_patches = True
    assert torch.isfinite(batch).all()
    close(batch[1:2], alone)


@pytest.mark.parametrize("objective", list(MODELS))
def test_outputs_do_not_depend_on_batch(objective):
    model, values, mask = MODELS[objective], days(), gaps()
    ids, attention_mask = texts()
    batch = model(values, mask, ids, attention_mask)
    for row in range(4):
        length = int(attention_mask[row].sum())
        alone = model(values[row : row + 1], mask[row : row + 1], ids[row : row + 1, :length], return_loss=False)
        close(alone.sensor_embeds, batch.sensor_embeds[row : row + 1])
        if batch.text_embeds is not None:
            close(alone.text_embeds, batch.text_embeds[row : row + 1])
        if batch.get("logits") is not None:
            close(alone.logits, batch.logits[row : row + 1, :length])


def test_missing_embedding_distinguishes_missing_from_mean():
    model = small_model("siglip")
    values = days(1)
    values[:, :10, 0] = 0
    mask = torch.ones_like(values, dtype=torch.bool)
    average = model.get_sensor_features(values, mask).pooler_output
    mask[:, :10, 0] = False
    absent = model.get_sensor_features(values, mask).pooler_output
    assert (average - absent).abs().max() > 1e-3
    blind = small_model("siglip", embed_missing=False)
    masked, unmasked = blind.get_sensor_features(values, mask), blind.get_sensor_features(values)
    assert torch.equal(masked.pooler_output, unmasked.pooler_output)


def test_missing_embedding_has_no_initial_effect():
    from model_cases import small_config

    from sensorlm_hf.modeling import SensorLMModel

    torch.manual_seed(0)
    model = SensorLMModel(small_config("siglip"))
    assert model.base_model.sensor_model.embeddings.missing_embedding.weight.abs().max() == 0


def by_hand(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Statistics of each row and channel, computed in a loop."""
    rows, minutes, channels = values.shape
    numbers = torch.zeros(rows, channels, 5)
    for row in range(rows):
        for channel in range(channels):
            seen = values[row, mask[row, :, channel], channel]
            if len(seen):
                parts = (seen.mean(), seen.std(correction=0), seen.min(), seen.max())
                numbers[row, channel] = torch.tensor([*map(float, parts), len(seen) / minutes])
    return numbers


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_statistics_use_observed_minutes(dtype):
    values, mask = days().to(dtype), gaps()
    mask[0, :, 1] = False
    close(window_statistics(values, mask), by_hand(values.float(), mask))
    close(window_statistics(values), by_hand(values.float(), torch.ones_like(mask)))
    flat = torch.zeros(1, 8, 2, requires_grad=True)
    window_statistics(flat).sum().backward()
    assert torch.isfinite(flat.grad).all()


def test_statistics_are_pooled_and_passed_to_decoder():
    values, mask = days(2), gaps()[:2]
    mask[1, :, 2] = False
    model = small_model("coca", embed_statistics=True)
    tower = model.base_model.sensor_model
    output = tower(values, mask)
    numbers = by_hand(values, mask)
    scaled = (numbers - torch.tensor(_TYPICAL_STATISTICS)) / torch.tensor(_SPREAD_OF_STATISTICS)
    scaled[numbers[..., -1] == 0] = 0
    expected = torch.stack([scaled[:, c] @ tower.statistics.weight[c] for c in range(CHANNELS)], dim=1)
    close(output.statistics_state, expected + tower.statistics.bias)
    statistics, tower.statistics = tower.statistics, None
    plain = tower(values, mask)
    assert plain.statistics_state is None
    assert torch.equal(plain.last_hidden_state, output.last_hidden_state)
    close(output.pooler_output - plain.pooler_output, output.statistics_state.sum(1) / CHANNELS**0.5)
    without, _ = model.encode_for_captions(values, mask)
    tower.statistics = statistics
    told, _ = model.encode_for_captions(values, mask)
    assert (told - without).abs().max() > 1e-3


@pytest.mark.parametrize(("minutes", "blocks"), [(MINUTES, 4), (MINUTES, 1), (70, 4), (10, 12)])
def test_block_statistics_use_observed_minutes(minutes, blocks):
    """Also with blocks of different lengths, and with more blocks than minutes, some of which are empty."""
    values, mask = days(minutes=minutes), gaps()[:, :minutes]
    found = block_statistics(values, mask, blocks=blocks)
    assert found.shape == (len(values), CHANNELS, blocks, 2)
    for block in range(blocks):
        inside = [minute for minute in range(minutes) if minute * blocks // minutes == block]
        for row in range(len(values)):
            for channel in range(CHANNELS):
                seen = [values[row, m, channel].item() for m in inside if mask[row, m, channel]]
                mean = sum(seen) / len(seen) if seen else 0.0
                expected = torch.tensor([mean, len(seen) / max(len(inside), 1)])
                close(found[row, channel, block], expected)
    close(block_statistics(values, blocks=blocks), block_statistics(values, torch.ones_like(mask), blocks=blocks))


def test_blocks_are_embedded_with_statistics_of_window():
    values, mask = days(2), gaps()[:2]
    mask[1, :, 2] = False
    model = small_model("coca", embed_statistics=30)
    statistics = model.base_model.sensor_model.statistics
    told = statistics(values, mask)
    scaled = block_statistics(values, mask, blocks=MINUTES // 30) - torch.tensor(_TYPICAL_BLOCK)
    scaled = scaled / torch.tensor(_SPREAD_OF_BLOCK)
    scaled[~mask.any(dim=1)] = 0
    expected = torch.einsum("bcks,cksd->bcd", scaled, statistics.block_weight)
    statistics.block_weight.data.zero_()
    close(told - statistics(values, mask), expected)


def test_blocks_can_be_added_to_trained_model(tmp_path):
    """Their map starts at 0, so the model answers as before."""
    model = MODELS["coca"]
    model.save_pretrained(tmp_path)
    config = SensorLMConfig.from_pretrained(tmp_path)
    config.sensor_config.embed_statistics = 60
    longer = load_pretrained(tmp_path, config=config).eval()
    assert longer.base_model.sensor_model.statistics.block_weight.shape[1] == MINUTES // 60
    inputs = (days(), gaps(), *texts())
    assert torch.equal(longer(*inputs).logits, model(*inputs).logits)


def test_decoder_without_pooler_reads_statistics_and_patches():
    model = small_model("cap", embed_statistics=True, num_caption_queries=0)
    values, mask = days(), gaps()
    tower = model.base_model.sensor_model(values, mask)
    tokens, token_mask = model.decoder.sensor_tokens(tower)
    assert torch.equal(tokens[:, -CHANNELS:], tower.statistics_state)
    assert torch.equal(tokens[:, :-CHANNELS], tower.last_hidden_state)
    assert token_mask is None or bool(token_mask[:, -CHANNELS:].all())


def test_integer_and_float_masks_are_cast_to_bool():
    model, values, mask = MODELS["siglip"], days(), gaps()
    expected = model.get_sensor_features(values, mask).pooler_output
    assert torch.equal(model.get_sensor_features(values, mask.long()).pooler_output, expected)
    assert torch.equal(model.get_sensor_features(values, mask.float()).pooler_output, expected)


def test_inputs_are_not_modified():
    values, mask = days(), gaps()
    before, before_mask = values.clone(), mask.clone()
    MODELS["coca"](values, mask, *texts())
    assert torch.equal(values, before)
    assert torch.equal(mask, before_mask)


@pytest.mark.parametrize("minutes", [60, 240])
def test_other_window_lengths_use_interpolated_positions(minutes):
    embeddings = MODELS["siglip"].sensor_model.embeddings
    table = embeddings.position_embedding.weight.detach().view(12, 3, -1)
    positions = embeddings.positions(minutes).detach().view(minutes // 10, 3, -1)
    steps = minutes // 10
    for step in range(steps):
        place = min(max((step + 0.5) * 12 / steps - 0.5, 0), 11)
        low = int(place)
        expected = table[low] * (1 - (place - low)) + table[min(low + 1, 11)] * (place - low)
        torch.testing.assert_close(positions[step], expected, atol=1e-6, rtol=1e-5)
    assert MODELS["siglip"].get_sensor_features(days(2, minutes=minutes)).pooler_output.shape == (2, 32)


@pytest.mark.parametrize(
    ("values", "mask", "error", "words"),
    [
        (torch.zeros(2, MINUTES, 5), None, ValueError, ["sensor_values", "(rows, minutes, 6)", "(2, 120, 5)"]),
        (torch.zeros(MINUTES, CHANNELS), None, ValueError, ["sensor_values", "(120, 6)"]),
        (torch.zeros(0, MINUTES, CHANNELS), None, ValueError, ["sensor_values", "no rows"]),
        (torch.zeros(2, 125, CHANNELS), None, ValueError, ["multiple of 10 minutes", "125"]),
        (torch.zeros(2, 0, CHANNELS), None, ValueError, ["multiple of 10 minutes", "0"]),
        (torch.zeros(2, MINUTES, CHANNELS).long(), None, TypeError, ["floating-point", "int64"]),
        (torch.zeros(2, MINUTES, CHANNELS), torch.ones(2, MINUTES, 5), ValueError, ["sensor_mask", "(2, 120, 5)"]),
    ],
)
def test_invalid_inputs_raise(values, mask, error, words):
    with pytest.raises(error) as caught:
        MODELS["siglip"].get_sensor_features(values, mask)
    for word in words:
        assert word in str(caught.value)


def test_wrong_number_of_channels_lists_channel_names():
    model = small_model("siglip", channel_keys=["hr", "hrv", "steps", "eda", "temp", "alt"])
    with pytest.raises(ValueError, match="hr, hrv, steps, eda, temp, alt"):
        model.get_sensor_features(torch.zeros(1, MINUTES, 4))


def test_half_missing_day_uses_half_the_tokens():
    """Counts the tokens that pass through a layer (`benchmarks/` measure the time)."""
    model, values = small_model("siglip"), days()
    tokens: list[int] = []
    model.base_model.sensor_model.encoder.layers[0].register_forward_hook(
        lambda m, args, result: tokens.append(args[0].shape[1])
    )
    mask = torch.ones_like(values, dtype=torch.bool)
    half = mask.clone()
    half[:, torch.arange(MINUTES) // model.config.sensor_config.patch_minutes % 2 == 0] = False
    for observed in (mask, half):
        model.get_sensor_features(values, observed)
    patches = model.config.sensor_config.num_patches
    assert tokens == [patches, patches // 2]
