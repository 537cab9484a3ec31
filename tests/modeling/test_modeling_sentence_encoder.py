"""CoCa whose text tower is assisted by a bidirectional encoder."""

from __future__ import annotations

import math

import pytest
import torch
from model_cases import POSITIONS, VOCAB, days, gaps, shake, small_config, small_model, texts, to_left
from transformers import BertConfig, GPT2Config

from sensorlm_hf.modeling import (
    SensorLMConfig,
    SensorLMForConditionalGeneration,
    SensorLMModel,
    SensorLMTextConfig,
    statement_sigmoid_loss,
    statement_softmax_loss,
)

SENTENCES = 60
ENCODER = BertConfig(
    vocab_size=SENTENCES,
    hidden_size=24,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=32,
    max_position_embeddings=8,
    hidden_dropout_prob=0.0,
    attention_probs_dropout_prob=0.0,
)
VALUES, MASK = days(), gaps()
TRUTH = torch.tensor([[1, 0, -1], [0, 1, 1], [-1, -1, 0], [1, 0, 0]])
STATEMENTS = torch.tensor([[1, 50, 51, 2], [1, 52, 2, 0], [1, 7, 59, 2]])


def assisted_config(**overrides) -> SensorLMConfig:
    values = small_config("coca").to_dict()
    values["text_config"] |= {"language_model_config": ENCODER.to_dict(), "pooling": "cls"}
    return SensorLMConfig.from_dict({**values, **overrides})


@pytest.fixture(scope="module")
def model() -> SensorLMForConditionalGeneration:
    torch.manual_seed(0)
    model = SensorLMForConditionalGeneration(assisted_config())
    shake(model)
    return model.eval()


def test_new_encoder_changes_nothing():
    plain = small_model("coca")
    torch.manual_seed(1)
    assisted = SensorLMForConditionalGeneration(assisted_config())
    report = assisted.load_state_dict(plain.state_dict(), strict=False)
    assert not report.unexpected_keys
    assert all(".sentence_encoder." in name or ".statement_logit_" in name for name in report.missing_keys)
    ids, mask = texts()
    with torch.no_grad():
        before, after = plain(VALUES, MASK, ids, mask), assisted.eval()(VALUES, MASK, ids, mask)
    for name in ("loss", "text_embeds", "sensor_embeds", "logits"):
        torch.testing.assert_close(after[name], before[name], rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [VOCAB + 3, SENTENCES + 5])
def test_resize_token_embeddings_keeps_embeddings(size, tmp_path):
    torch.manual_seed(0)
    model = SensorLMForConditionalGeneration(assisted_config())
    shake(model)
    ids, mask = texts()
    statements = {"statement_ids": STATEMENTS.clamp(max=VOCAB - 1), "statement_truth": TRUTH}
    with torch.no_grad():
        before = model.eval()(VALUES, MASK, ids, mask, **statements)
    model.resize_token_embeddings(size)
    model.save_pretrained(tmp_path)
    loaded = SensorLMForConditionalGeneration.from_pretrained(tmp_path)
    text = loaded.config.text_config
    assert [text.vocab_size, text.language_model_config.vocab_size] == [size, max(size, SENTENCES)]
    for resized in (model, loaded):
        # A word of the encoder that captions lack, and a token that was new to both.
        assert torch.isfinite(resized.get_text_features(torch.tensor([[1, 58, size - 1, 2]])).pooler_output).all()
        with torch.no_grad():
            after = resized.eval()(VALUES, MASK, ids, mask, **statements)
        torch.testing.assert_close(after.text_embeds, before.text_embeds)
        torch.testing.assert_close(after.statement_loss, before.statement_loss)
        torch.testing.assert_close(after.logits[..., :VOCAB], before.logits)


@torch.no_grad()
def test_embedding_is_gated_sum_of_both_readers(model):
    ids, mask = texts()
    tower = model.sensorlm.text_model
    encoder = tower.sentence_encoder
    first, keys = ids[:, :8], mask[:, :8]  # as many tokens as the encoder has positions
    states = encoder.language_model(first, keys).last_hidden_state
    meaning = torch.stack([row[: int(n)].mean(0) for row, n in zip(states, keys.sum(1), strict=True)])
    plain = small_model("coca").sensorlm.text_model
    plain.load_state_dict(tower.state_dict(), strict=False)
    trust, own = torch.sigmoid(encoder.gate(meaning)), plain(ids, mask).pooler_output
    added = encoder.head(meaning)
    added = added / torch.sqrt(1 + added.norm(dim=1, keepdim=True) ** 2)
    expected = trust * own / own.norm(dim=1, keepdim=True) + (1 - trust) * added
    torch.testing.assert_close(model.get_text_features(ids, mask).pooler_output, expected)


@torch.no_grad()
def test_text_embeds_the_same_in_any_batch_and_padding(model):
    ids, mask = texts()
    together = model.get_text_features(ids, mask).pooler_output
    left = model.get_text_features(*to_left(ids, mask, extra=2)).pooler_output
    torch.testing.assert_close(left, together, atol=1e-5, rtol=1e-5)
    for row, length in enumerate(mask.sum(1).tolist()):
        alone = model.get_text_features(ids[row : row + 1, :length]).pooler_output[0]
        torch.testing.assert_close(alone, together[row], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_only_encoder_reads_words_outside_of_captions(model):
    one, other = torch.tensor([[1, VOCAB + 2, 2]]), torch.tensor([[1, VOCAB + 3, 2]])
    assert not torch.allclose(model.get_text_features(one).pooler_output, model.get_text_features(other).pooler_output)
    states = [model.sensorlm.text_model(ids).last_hidden_state for ids in (one, other)]
    torch.testing.assert_close(*states)  # what the decoder reads


@torch.no_grad()
def test_generation_does_not_run_encoder(model, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("the encoder ran")

    monkeypatch.setattr(model.sensorlm.text_model.sentence_encoder, "forward", refuse)
    tokens = model.generate(VALUES, MASK, max_new_tokens=4, min_new_tokens=4)
    assert tokens.shape == (4, 5)
    assert tokens.max() < VOCAB


def test_saved_and_loaded(model, tmp_path):
    model.save_pretrained(tmp_path)
    again, report = SensorLMForConditionalGeneration.from_pretrained(tmp_path, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    towers, report = SensorLMModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not report["missing_keys"]
    ids, mask = texts()
    with torch.no_grad():
        expected = model.get_text_features(ids, mask).pooler_output
        torch.testing.assert_close(again.get_text_features(ids, mask).pooler_output, expected)
        torch.testing.assert_close(towers.get_text_features(ids, mask).pooler_output, expected)


def test_hidden_states_are_those_of_the_causal_layers(model):
    ids, mask = texts()
    output = model.sensorlm.text_model(ids, mask, output_hidden_states=True)
    assert len(output.hidden_states) == model.config.text_config.num_hidden_layers + 1
    assert output.hidden_states[0].shape[-1] == 32


def test_statement_loss_is_part_of_the_loss_and_reaches_every_weight(model):
    model.zero_grad()
    ids, mask = texts()
    inputs = {"statement_ids": STATEMENTS, "statement_mask": (STATEMENTS != 0).long(), "statement_truth": TRUTH}
    output = model(VALUES, MASK, ids, mask, **inputs)
    plain = model(VALUES, MASK, ids, mask)
    statements = torch.nn.functional.normalize(
        model.get_text_features(STATEMENTS, inputs["statement_mask"]).pooler_output, dim=-1
    )
    base = model.sensorlm
    expected = statement_sigmoid_loss(
        output.sensor_embeds, statements, TRUTH, base.statement_logit_scale.exp(), base.statement_logit_bias
    )
    torch.testing.assert_close(output.statement_loss, expected)
    torch.testing.assert_close(output.loss, plain.loss + model.config.contrastive_loss_weight * expected)
    output.loss.backward()
    without = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert without == []
    model.zero_grad()


@pytest.mark.parametrize(("objective", "sigmoid"), [("clip", False), ("coca", False), ("siglip", True)])
def test_statements_use_the_form_of_the_objective(objective, sigmoid):
    model = small_model(objective)
    ids, mask = texts()
    statements = torch.tensor([[1, 5, 6, 2], [1, 7, 2, 0], [1, 7, 9, 2]])
    keys = (statements != 0).long()
    inputs = {"statement_ids": statements, "statement_mask": keys, "statement_truth": TRUTH}
    output, plain = model(VALUES, MASK, ids, mask, **inputs), model(VALUES, MASK, ids, mask)
    embeds = torch.nn.functional.normalize(model.get_text_features(statements, keys).pooler_output, dim=-1)
    base = model.base_model
    if sigmoid:
        expected = statement_sigmoid_loss(output.sensor_embeds, embeds, TRUTH, base.temperature(), base.logit_bias)
    else:
        expected = statement_softmax_loss(output.sensor_embeds, embeds, TRUTH, base.temperature())
    torch.testing.assert_close(output.statement_loss, expected)
    torch.testing.assert_close(output.loss, plain.loss + expected)


def test_truth_without_statements_raises(model):
    with pytest.raises(ValueError, match="statement_ids"):
        model.sensorlm(VALUES, MASK, statement_truth=TRUTH)


def test_statement_logits_are_log_odds(model):
    sensor, text = torch.eye(32)[:2], torch.eye(32)[:3]
    base = model.sensorlm
    scale, bias = math.exp(base.statement_logit_scale.item()), base.statement_logit_bias.item()
    expected = scale * torch.eye(3)[:2] + bias
    torch.testing.assert_close(base.statement_logits(sensor, text), expected)
    assert small_model("clip").statement_logits(sensor, text) is None
    siglip = small_model("siglip")
    torch.testing.assert_close(siglip.statement_logits(sensor, text), siglip.similarity_logits(sensor, text))


def test_freeze_text_freezes_the_encoder_only():
    model = SensorLMForConditionalGeneration(assisted_config())
    model.freeze_text()
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    assert frozen
    assert all(".sentence_encoder.language_model." in name for name in frozen)


def test_decoder_only_encoder_raises():
    gpt2 = GPT2Config(vocab_size=VOCAB, n_embd=32, n_head=2, n_layer=2, n_positions=POSITIONS)
    with pytest.raises(ValueError, match="must be bidirectional"):
        SensorLMTextConfig(vocab_size=VOCAB, hidden_size=32, num_attention_heads=2, pooling="cls",
                           language_model_config=gpt2)  # fmt: skip


def test_encoder_with_smaller_vocabulary_raises():
    with pytest.raises(ValueError, match="fewer than the 61"):
        SensorLMTextConfig(vocab_size=61, hidden_size=32, num_attention_heads=2, pooling="cls",
                           language_model_config=ENCODER)  # fmt: skip


@pytest.mark.parametrize("objective", ["clip", "siglip", "cap"])
def test_other_objectives_raise(objective):
    values = assisted_config().to_dict()
    with pytest.raises(ValueError, match="pools texts by"):
        SensorLMConfig.from_dict({**values, "objective": objective})
