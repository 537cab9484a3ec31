from __future__ import annotations

import copy
import inspect
import math

import pytest
import torch
from model_cases import VOCAB, days, gaps, shake, small_config, small_model, texts, to_left

import sensorlm_hf  # registers the Auto classes
from sensorlm_hf.modeling import (
    OBJECTIVES,
    SensorLMConfig,
    SensorLMForConditionalGeneration,
    SensorLMForSensorClassification,
    SensorLMModel,
    SensorLMSensorModel,
    caption_loss,
    clip_loss,
    load_pretrained,
    positive_pairs,
    pretraining_class,
    siglip_loss,
)

assert sensorlm_hf.__version__

MODELS = {objective: small_model(objective) for objective in OBJECTIVES}
VALUES, MASK = days(), gaps()
IDS, ATTENTION = texts()


def close(a: torch.Tensor, b: torch.Tensor, atol: float = 1e-5) -> None:
    torch.testing.assert_close(a, b, atol=atol, rtol=1e-4)


def unit(rows: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(rows, dim=-1)


def contrastive_loss(output):
    """The contrastive loss of either model."""
    return output.get("contrastive_loss", output.loss)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_outputs(objective):
    model = MODELS[objective]
    output = model(VALUES, MASK, IDS, ATTENTION)
    assert output.sensor_embeds.shape == (4, 32)
    close(output.sensor_embeds.norm(dim=1), torch.ones(4))
    close(output.sensor_embeds, unit(model.get_sensor_features(VALUES, MASK).pooler_output))
    if model.config.is_contrastive:
        close(output.text_embeds.norm(dim=1), torch.ones(4))
        close(output.text_embeds, unit(model.get_text_features(IDS, ATTENTION).pooler_output))
        bias = model.base_model.logit_bias if objective == "siglip" else 0
        expected = model.base_model.logit_scale.exp() * output.sensor_embeds @ output.text_embeds.T + bias
        close(output.logits_per_sensor, expected)
        assert torch.equal(output.logits_per_text, output.logits_per_sensor.T)
    else:
        assert output.text_embeds is None
        assert output.contrastive_loss is None
    if model.config.is_generative:
        assert output.logits.shape == (4, 9, VOCAB)
    else:
        assert not hasattr(model, "generate")
        assert not hasattr(output, "logits")


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_losses_match_loss_functions(objective):
    model = MODELS[objective]
    output = model(VALUES, MASK, IDS, ATTENTION)
    scale = None if model.base_model.logit_scale is None else model.base_model.logit_scale.exp()
    parts = {}
    if objective in ("clip", "coca"):
        parts["contrastive"] = clip_loss(output.sensor_embeds, output.text_embeds, scale)
    if objective == "siglip":
        parts["contrastive"] = siglip_loss(output.sensor_embeds, output.text_embeds, scale, model.base_model.logit_bias)
    if objective in ("cap", "coca"):
        targets = IDS.masked_fill(ATTENTION == 0, -100)[:, 1:]
        parts["caption"] = caption_loss(output.logits[:, :-1], targets)
    for name, part in parts.items():
        close(output.get(f"{name}_loss", output.loss), part)
    total = parts["contrastive"] + 2 * parts["caption"] if objective == "coca" else next(iter(parts.values()))
    close(output.loss, total)


@pytest.mark.parametrize("objective", ["clip", "siglip", "coca"])
def test_identical_captions_are_mutual_positives(objective):
    model = MODELS[objective]
    groups = torch.tensor([4, 7, 4, 9])
    output = model(VALUES, MASK, IDS, ATTENTION, text_group_ids=groups)
    arguments = (output.sensor_embeds, output.text_embeds, model.base_model.logit_scale.exp())
    if objective == "siglip":
        expected = siglip_loss(*arguments, model.base_model.logit_bias, positive_pairs(groups))
    else:
        expected = clip_loss(*arguments, positive_pairs(groups))
    close(contrastive_loss(output), expected)
    plain = contrastive_loss(model(VALUES, MASK, IDS, ATTENTION))
    close(contrastive_loss(model(VALUES, MASK, IDS, ATTENTION, text_group_ids=torch.arange(4))), plain)
    assert not torch.allclose(contrastive_loss(output), plain)


def test_coca_weights():
    model = small_model("coca", contrastive_loss_weight=0.5, caption_loss_weight=3.0)
    output = model(VALUES, MASK, IDS, ATTENTION)
    close(output.loss, 0.5 * output.contrastive_loss + 3 * output.caption_loss)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_parameter_receives_gradient(objective):
    model = copy.deepcopy(MODELS[objective]).train()
    model(VALUES, MASK, IDS, ATTENTION).loss.backward()
    still = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    # Adding the same vector to all keys does not change the attention weights.
    assert all(name.endswith("k_proj.bias") for name in still), still


@pytest.mark.parametrize("objective", ["cap", "coca"])
def test_training_computes_logits_only_at_scored_positions(objective):
    model = copy.deepcopy(MODELS[objective])
    expected = model(VALUES, MASK, IDS, ATTENTION).caption_loss
    model.train()
    sizes = []
    model.decoder.lm_head.register_forward_hook(lambda module, args, result: sizes.append(result.shape[:-1].numel()))
    output = model(VALUES, MASK, IDS, ATTENTION)
    assert output.logits is None
    assert sizes == [int(ATTENTION[:, 1:].sum())]
    close(output.caption_loss, expected)
    generated = model(VALUES, MASK, IDS, ATTENTION, use_cache=True)
    assert generated.logits.shape == (4, 9, VOCAB)


@pytest.mark.parametrize("objective", ["cap", "coca"])
def test_return_loss_false_computes_only_embeddings(objective):
    """This is the first step of gradient caching and of distributed losses."""
    model = copy.deepcopy(MODELS[objective]).train()
    model.decoder.register_forward_hook(lambda *_: pytest.fail("the decoder ran"))
    output = model(VALUES, MASK, IDS, ATTENTION, return_loss=False)
    assert (output.loss, output.logits, output.logits_per_sensor) == (None, None, None)
    assert output.sensor_embeds.shape == (4, 32)


def test_labels_without_return_loss_give_only_caption_loss():
    model = copy.deepcopy(MODELS["coca"]).train()
    labels = IDS.masked_fill(ATTENTION == 0, -100)
    both = model(VALUES, MASK, IDS, ATTENTION)
    output = model(VALUES, MASK, IDS, ATTENTION, labels=labels, return_loss=False)
    close(output.caption_loss, both.caption_loss)
    close(output.loss, model.config.caption_loss_weight * both.caption_loss)
    assert output.contrastive_loss is None
    count = int((labels[:, 1:] != -100).sum())
    shared = model(VALUES, MASK, IDS, ATTENTION, labels=labels, return_loss=False, num_items_in_batch=2 * count)
    close(shared.caption_loss, both.caption_loss / 2)


@pytest.mark.parametrize("objective", ["cap", "coca"])
def test_labels_select_scored_tokens(objective):
    model = MODELS[objective]
    labels = torch.full_like(IDS, -100)
    labels[0, 4] = 7
    output = model(VALUES, MASK, IDS, ATTENTION, labels=labels)
    close(output.caption_loss, -output.logits[0, 3].log_softmax(-1)[7])


def test_pad_tokens_inside_a_text_are_scored():
    """Padding is defined by the attention mask, not by the token id."""
    ids = IDS.clone()
    ids[0, 3] = 0
    output = MODELS["cap"](VALUES, MASK, ids, ATTENTION)
    targets = ids.masked_fill(ATTENTION == 0, -100)[:, 1:]
    assert (targets == 0).any()
    close(output.caption_loss, caption_loss(output.logits[:, :-1], targets))


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("extra", [0, 3])
def test_padding_side_does_not_matter(objective, extra):
    model = MODELS[objective]
    right = model(VALUES, MASK, IDS, ATTENTION)
    left = model(VALUES, MASK, *to_left(IDS, ATTENTION, extra))
    close(left.loss, right.loss)
    if right.text_embeds is not None:
        close(left.text_embeds, right.text_embeds)
    if right.get("logits") is not None:
        for row, length in enumerate(ATTENTION.sum(dim=1).tolist()):
            close(left.logits[row, -length:], right.logits[row, :length])


@pytest.mark.parametrize("objective", ["cap", "coca"])
def test_decoder_is_causal(objective):
    model = MODELS[objective]
    changed = IDS.clone()
    changed[0, 5] = (changed[0, 5] + 7) % VOCAB
    before = model(VALUES, MASK, IDS, ATTENTION).logits[0]
    after = model(VALUES, MASK, changed, ATTENTION).logits[0]
    close(after[:5], before[:5])
    assert (after[5:] - before[5:]).abs().max() > 1e-3


@pytest.mark.parametrize("objective", ["cap", "coca"])
def test_caption_logits_depend_on_sensor_values(objective):
    model = MODELS[objective]
    a, b = (model(v, None, IDS, ATTENTION).logits for v in (VALUES, VALUES + 1))
    assert (a - b).abs().max() > 1e-3


def test_contrastive_text_towers_are_not_causal():
    changed = IDS.clone()
    changed[0, 8] = 5
    for objective in ("clip", "siglip"):
        tower = MODELS[objective].base_model.text_model
        a, b = (tower(ids, ATTENTION).last_hidden_state[0, 1] for ids in (IDS, changed))
        assert (a - b).abs().max() > 1e-4


def test_coca_class_token_attends_to_all_tokens_except_padding():
    model = MODELS["coca"]
    reference = model.get_text_features(IDS, ATTENTION).pooler_output
    for position in range(6):
        changed = IDS.clone()
        changed[1, position] = (changed[1, position] + 5) % VOCAB
        assert (model.get_text_features(changed, ATTENTION).pooler_output[1] - reference[1]).abs().max() > 1e-4
    changed = IDS.clone()
    changed[1, 6:] = 9
    close(model.get_text_features(changed, ATTENTION).pooler_output, reference)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_eager_and_sdpa_are_equal(objective):
    outputs = []
    for attention in ("eager", "sdpa"):
        model = copy.deepcopy(MODELS[objective])
        model.set_attn_implementation(attention)
        used = {m.config._attn_implementation for m in model.modules() if hasattr(m, "q_proj")}
        assert used == {attention}
        model.train()
        output = model(VALUES, MASK, *to_left(IDS, ATTENTION, 2))
        output.loss.backward()
        outputs.append((output.loss, {name: p.grad for name, p in model.named_parameters()}))
    close(outputs[0][0], outputs[1][0])
    for name, gradient in outputs[0][1].items():
        close(gradient, outputs[1][1][name], atol=2e-5)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_gradient_checkpointing_preserves_outputs(objective):
    gradients = []
    for checkpointing in (False, True):
        model = copy.deepcopy(MODELS[objective]).train()
        if checkpointing:
            model.gradient_checkpointing_enable()
        model(VALUES, MASK, IDS, ATTENTION).loss.backward()
        gradients.append({name: p.grad for name, p in model.named_parameters()})
    for name, gradient in gradients[0].items():
        close(gradient, gradients[1][name])


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_half_precision(objective):
    expected = MODELS[objective](VALUES, MASK, IDS, ATTENTION)
    model = copy.deepcopy(MODELS[objective]).bfloat16()
    output = model(VALUES, MASK, IDS, ATTENTION)
    assert output.sensor_embeds.dtype == torch.float32
    close(output.sensor_embeds.norm(dim=1), torch.ones(4))
    assert abs(output.loss.item() / expected.loss.item() - 1) < 0.1
    with torch.autocast("cpu", dtype=torch.bfloat16):
        training = copy.deepcopy(MODELS[objective]).train()
        output = training(VALUES, MASK, IDS, ATTENTION)
    output.loss.backward()
    assert abs(output.loss.item() / expected.loss.item() - 1) < 0.1
    assert all(torch.isfinite(p.grad).all() for p in training.parameters() if p.grad is not None)


def test_dropout_is_active_only_in_training():
    model = small_model("coca", attention_dropout=0.5)
    assert torch.equal(model(VALUES, MASK, IDS, ATTENTION).loss, model(VALUES, MASK, IDS, ATTENTION).loss)
    model.train()
    assert model(VALUES, MASK, IDS, ATTENTION).loss != model(VALUES, MASK, IDS, ATTENTION).loss


def test_initial_temperatures():
    for objective in ("clip", "coca"):
        assert SensorLMModel(small_config(objective)).logit_scale.item() == pytest.approx(math.log(1 / 0.07))
    siglip = SensorLMModel(small_config("siglip"))
    assert (siglip.logit_scale.item(), siglip.logit_bias.item()) == (pytest.approx(math.log(10)), -10)


@pytest.mark.parametrize("objective", ["clip", "coca"])
def test_clip_temperature_is_limited_to_100(objective):
    model = copy.deepcopy(MODELS[objective])
    with torch.no_grad():
        model.base_model.logit_scale.fill_(9.0)
    output = model(VALUES, MASK, IDS, ATTENTION)
    close(output.logits_per_sensor, 100 * output.sensor_embeds @ output.text_embeds.T, atol=1e-3)
    close(output.logit_scale, torch.tensor(100.0), atol=1e-3)
    model.train()
    model(VALUES, MASK, IDS, ATTENTION).loss.backward()
    # The forward pass does not modify the parameter; `training.clamp_logit_scale` does, after each step.
    assert model.base_model.logit_scale.item() == 9.0


def test_similarities_with_different_numbers_of_days_and_texts():
    for objective in ("clip", "siglip", "coca"):
        output = MODELS[objective](VALUES, MASK, IDS[:3], ATTENTION[:3])
        assert output.logits_per_sensor.shape == (4, 3)
        assert output.loss is None
        assert output.get("logits") is None


def test_single_modality_input():
    for objective in OBJECTIVES:
        output = MODELS[objective](VALUES, MASK)
        assert output.loss is None
        assert output.sensor_embeds.shape == (4, 32)
    output = MODELS["coca"](input_ids=IDS, attention_mask=ATTENTION)
    assert output.text_embeds.shape == (4, 32)
    assert output.loss is None


def test_return_loss_false_and_return_tuple():
    output = MODELS["coca"](VALUES, MASK, IDS, ATTENTION, return_loss=False)
    assert (output.loss, output.contrastive_loss, output.caption_loss) == (None, None, None)
    values = MODELS["clip"](VALUES, MASK, IDS, ATTENTION, return_dict=False)
    assert isinstance(values, tuple)
    close(values[0], MODELS["clip"](VALUES, MASK, IDS, ATTENTION).loss)


def test_hidden_states_and_attentions():
    model = copy.deepcopy(MODELS["coca"])
    model.set_attn_implementation("eager")
    output = model(VALUES, None, IDS, ATTENTION, output_hidden_states=True, output_attentions=True)
    sensor, text = output.sensor_model_output, output.text_model_output
    assert [len(sensor.hidden_states), len(text.hidden_states)] == [3, 3]
    assert sensor.attentions[1].shape == (4, 2, 36, 36)
    close(sensor.attentions[0].sum(-1), torch.ones(4, 2, 36))
    close(model.base_model.sensor_model.post_layernorm(sensor.hidden_states[-1]), sensor.last_hidden_state)
    assert text.attentions[0].shape == (4, 2, 10, 10)  # nine tokens and the class token


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_resize_text_positions(objective, tmp_path):
    model = copy.deepcopy(MODELS[objective])
    before = model(VALUES, MASK, IDS, ATTENTION).loss
    old = model.get_position_embeddings().num_embeddings
    long = torch.ones(len(IDS), old + 3, dtype=torch.long)
    with pytest.raises(ValueError, match="positions for"):
        model(VALUES, MASK, long, torch.ones_like(long))
    model.resize_position_embeddings(old + 3)
    close(model(VALUES, MASK, IDS, ATTENTION).loss, before)
    model.save_pretrained(tmp_path)
    loaded = load_pretrained(tmp_path)
    assert loaded.config.text_config.max_position_embeddings == old + 3
    close(loaded(VALUES, MASK, long, torch.ones_like(long)).loss, model(VALUES, MASK, long, torch.ones_like(long)).loss)
    model.resize_position_embeddings(IDS.shape[1])
    close(model(VALUES, MASK, IDS, ATTENTION).loss, before)
    with pytest.raises(ValueError, match="at least 1 position, got 0"):
        model.resize_position_embeddings(0)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("size", [VOCAB + 6, VOCAB - 6])
def test_resize_token_embeddings(objective, size, tmp_path):
    model = copy.deepcopy(MODELS[objective])
    ids = IDS.clamp(max=VOCAB - 7)
    before = model(VALUES, MASK, ids, ATTENTION, return_loss=False)
    model.resize_token_embeddings(size)
    assert model.config.text_config.vocab_size == size
    assert model.base_model.text_model.config.vocab_size == size
    assert model.get_input_embeddings().weight.shape == (size, 32)
    after = model(VALUES, MASK, ids, ATTENTION, return_loss=False)
    if before.text_embeds is not None:
        close(after.text_embeds, before.text_embeds)
    if before.get("logits") is not None:
        assert after.logits.shape[-1] == size
        width = min(size, VOCAB)
        close(after.logits[..., :width], before.logits[..., :width])
    model.save_pretrained(tmp_path)
    loaded = load_pretrained(tmp_path)
    close(loaded(VALUES, MASK, ids, ATTENTION).loss, model(VALUES, MASK, ids, ATTENTION).loss)


@pytest.mark.parametrize("objective", ["cap", "coca"])
def test_tied_embeddings(objective, tmp_path):
    model = SensorLMForConditionalGeneration(small_config(objective, tie_word_embeddings=True)).eval()
    shake(model)
    assert model.decoder.lm_head.weight is model.base_model.text_model.embeddings.token_embedding.weight
    model.save_pretrained(tmp_path)
    loaded = load_pretrained(tmp_path)
    assert loaded.decoder.lm_head.weight is loaded.base_model.text_model.embeddings.token_embedding.weight
    close(loaded(VALUES, MASK, IDS, ATTENTION).loss, model(VALUES, MASK, IDS, ATTENTION).loss)
    assert MODELS[objective].decoder.lm_head.weight is not MODELS[objective].get_input_embeddings().weight


def test_decoder_reads_all_sensor_tokens_without_caption_queries():
    model = small_model("cap", num_caption_queries=0)
    assert model.decoder.pooler is None
    key_values, mask = model.encode_for_captions(VALUES, MASK)
    assert mask is not None
    assert (key_values.shape[0], key_values.shape[4]) == mask.shape
    batch = model(VALUES, MASK, IDS, ATTENTION).logits
    alone = model(VALUES[1:2], MASK[1:2], IDS[1:2, :6], ATTENTION[1:2, :6]).logits
    close(batch[1:2, :6], alone, atol=2e-5)


def test_towers_with_different_widths():
    config = SensorLMConfig(
        objective="coca",
        sensor_config={
            "window_minutes": 120, "num_channels": 6, "hidden_size": 24, "num_attention_heads": 2,
            "intermediate_size": 32, "num_hidden_layers": 1,
        },
        text_config={
            "vocab_size": VOCAB, "max_position_embeddings": 12, "hidden_size": 16, "num_attention_heads": 4,
            "intermediate_size": 32, "num_hidden_layers": 1,
        },
        num_caption_queries=0,
    )  # fmt: skip
    model = SensorLMForConditionalGeneration(config).eval()
    output = model(VALUES, MASK, IDS, ATTENTION)
    assert output.text_embeds.shape == (4, 24)
    assert torch.isfinite(output.loss)
    assert model.generate(sensor_values=VALUES, sensor_mask=MASK, max_new_tokens=3, min_new_tokens=3).shape == (4, 4)


def test_small_model_learns_pairs():
    """Ten steps on four pairs: the loss must drop well below chance."""
    torch.manual_seed(0)
    for objective in OBJECTIVES:
        config = small_config(objective)
        model = pretraining_class(config)(config).train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
        losses = []
        for _ in range(25):
            loss = model(VALUES, MASK, IDS, ATTENTION).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
        assert losses[-1] < 0.6 * losses[0], (objective, losses[0], losses[-1])


@pytest.mark.parametrize(
    ("objective", "call", "words"),
    [
        ("coca", lambda m: m(), ["sensor_values", "input_ids"]),
        ("cap", lambda m: m.get_text_features(IDS, ATTENTION), ["no text embedding", "score_text"]),
        ("cap", lambda m: m.sensorlm(), ["sensor_values", "input_ids"]),
        ("cap", lambda m: type(m)(small_config("clip")), ["no decoder", "'clip'", "SensorLMModel"]),
        ("coca", lambda m: m(VALUES, MASK, IDS, ATTENTION, labels=IDS[:, 1:]), ["labels", "(4, 9)", "(4, 8)"]),
        ("coca", lambda m: m(VALUES, MASK, IDS[:2], ATTENTION[:2], labels=IDS[:2]), ["4 recordings and 2 texts"]),
        ("clip", lambda m: m(VALUES, MASK, IDS, ATTENTION, text_group_ids=torch.arange(3)), ["text_group_ids", "4"]),
        ("clip", lambda m: m.get_text_features(IDS[0]), ["input_ids", "(9,)"]),
        ("clip", lambda m: m.get_text_features(IDS[:0]), ["input_ids", "(0, 9)"]),
        (
            "clip",
            lambda m: m.get_text_features(IDS, ATTENTION[:, :5]),
            ["attention_mask", "(4, 9)", "(4, 5)"],
        ),
        ("clip", lambda m: m.get_text_features(torch.ones(1, 30, dtype=torch.long)), ["30 tokens", "20"]),
    ],
)
def test_invalid_inputs_raise(objective, call, words):
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the message is checked below
        call(MODELS[objective])
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_training_requires_equal_numbers_of_days_and_texts(objective):
    model = copy.deepcopy(MODELS[objective]).train()
    with pytest.raises(ValueError, match="4 recordings and 3 texts"):
        model(VALUES, MASK, IDS[:3], ATTENTION[:3])


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_forward_accepts_transformers_arguments(objective):
    model = copy.deepcopy(MODELS[objective])
    model.set_attn_implementation("eager")
    flags = {"output_hidden_states": True, "output_attentions": True}
    inputs = {"sensor_values": VALUES, "sensor_mask": MASK}
    texts = {"input_ids": IDS, "attention_mask": ATTENTION}
    classifier = SensorLMForSensorClassification(small_config(objective))
    classifier.set_attn_implementation("eager")
    base = model.base_model
    for module, arguments in (
        (model, {**inputs, **texts}), (base, {**inputs, **texts}), (base.sensor_model, inputs),
        (base.text_model, texts), (classifier, inputs),
    ):  # fmt: skip
        output = module(**arguments, **flags)
        parts = [output[name] for name in ("sensor_model_output", "text_model_output") if output.get(name) is not None]
        for part in parts or [output]:
            assert len(part.hidden_states) == 3
            assert len(part.attentions) == 2
        plain = module(**arguments, return_dict=False)
        assert isinstance(plain, tuple)
        module.config.return_dict = False
        assert isinstance(module(**arguments), tuple)
        module.config.return_dict = True
    assert isinstance(model.get_sensor_features(**inputs, return_dict=False), tuple)


def test_models_follow_transformers_conventions():
    for kind in (SensorLMModel, SensorLMForConditionalGeneration, SensorLMSensorModel, SensorLMForSensorClassification):
        assert kind.main_input_name == "sensor_values"
        assert next(name for name in inspect.signature(kind.forward).parameters if name != "self") == "sensor_values"
        assert kind._supports_attention_backend
    model = MODELS["coca"]
    names = set(model.state_dict())
    assert {name for pair in model._tied_weights_keys.items() for name in pair} <= names
    assert not MODELS["clip"].all_tied_weights_keys
    fields = sum(
        len([name for name in vars(kind)["__annotations__"] if name in kind.__dataclass_fields__])
        for kind in (SensorLMConfig, type(model.config.sensor_config), type(model.config.text_config))
    )
    assert fields <= 35
