"""Pretrained language models as the text tower and decoder."""

from __future__ import annotations

import copy

import pytest
import torch
from model_cases import POSITIONS, VOCAB, days, gaps, shake, small_config, texts, to_left
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    BertConfig,
    DynamicCache,
    Gemma2Config,
    Gemma3TextConfig,
    GPT2Config,
    LlamaConfig,
    RobertaConfig,
    T5Config,
)

import sensorlm_hf  # registers the Auto classes
from sensorlm_hf.modeling import (
    SensorLMConfig,
    SensorLMForConditionalGeneration,
    SensorLMModel,
    SensorLMTextConfig,
    SensorLMTextModel,
    load_pretrained,
)

assert sensorlm_hf.__version__

SIZE = {
    "vocab_size": VOCAB,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_attention_heads": 2,
    "max_position_embeddings": POSITIONS,
}
TOKENS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
WINDOWS = {"num_key_value_heads": 1, "head_dim": 8, "sliding_window": 4}
LAYER_TYPES = ["sliding_attention", "full_attention", "sliding_attention", "full_attention"]
ENCODERS = {
    "bert": BertConfig(**SIZE, num_hidden_layers=2, pad_token_id=0),
    "roberta": RobertaConfig(**{**SIZE, "max_position_embeddings": POSITIONS + 1}, num_hidden_layers=2, **TOKENS),
}
DECODERS = {
    "gpt2": GPT2Config(
        vocab_size=VOCAB, n_embd=32, n_head=2, n_layer=4, n_positions=POSITIONS, bos_token_id=1, eos_token_id=2
    ),
    "llama": LlamaConfig(**SIZE, **TOKENS, num_hidden_layers=4, num_key_value_heads=1),
    "gemma2": Gemma2Config(
        **SIZE, **TOKENS, **WINDOWS, num_hidden_layers=4, layer_types=LAYER_TYPES, final_logit_softcapping=2.0
    ),
    "gemma3": Gemma3TextConfig(**SIZE, **TOKENS, **WINDOWS, num_hidden_layers=4, layer_types=LAYER_TYPES),
}
EVERY = {**ENCODERS, **DECODERS}
VALUES, MASK = days(), gaps()
IDS, ATTENTION = texts()
each_kind = pytest.mark.parametrize("kind", list(EVERY))
each_decoder = pytest.mark.parametrize("kind", list(DECODERS))


def close(a: torch.Tensor, b: torch.Tensor, atol: float = 1e-5) -> None:
    torch.testing.assert_close(a, b, atol=atol, rtol=1e-4)


def language_model(kind: str, head: bool = False):
    """A language model with perturbed weights."""
    torch.manual_seed(0)
    model = (AutoModelForCausalLM if head else AutoModel).from_config(copy.deepcopy(EVERY[kind]))
    shake(model)
    model.tie_weights()
    return model.eval()


def combined(kind: str, objective: str = "siglip", effect: bool = True, **options):
    """A model built on a language model; with `effect`, its new modules are perturbed too."""
    torch.manual_seed(1)
    source = options.pop("source", None) or language_model(kind, objective in ("cap", "coca"))
    sensor_config = small_config("coca").sensor_config
    kind_of_model = SensorLMForConditionalGeneration if objective in ("cap", "coca") else SensorLMModel
    model = kind_of_model.from_sensor_text_pretrained(sensor_config, source, objective=objective, **options)
    if effect and model.can_generate():
        shake(model.decoder.cross_layers, 3)
        shake(model.decoder.pooler, 4)
    return model


@each_kind
def test_text_tower_matches_language_model(kind):
    reference = language_model(kind)
    model = combined(kind, source=reference)
    assert model.config.text_config.pooling == ("mean" if kind in ENCODERS else "last")
    assert model.config.text_config.max_position_embeddings <= POSITIONS
    output = model.base_model.text_model(IDS, ATTENTION)
    for row, length in enumerate(ATTENTION.sum(dim=1).tolist()):
        states = reference(IDS[row : row + 1, :length]).last_hidden_state[0]
        close(output.last_hidden_state[row, :length], states)
        pooled = states.mean(dim=0) if kind in ENCODERS else states[-1]
        close(output.pooler_output[row], model.base_model.text_model.head(pooled))


@each_kind
@pytest.mark.parametrize("pooling", ["mean", "first", "last"])
def test_text_outputs_do_not_depend_on_padding_or_batch(kind, pooling):
    model = combined(kind, pooling=pooling)
    batch = model.get_text_features(IDS, ATTENTION).pooler_output
    close(model(VALUES, MASK, IDS, ATTENTION).text_embeds, torch.nn.functional.normalize(batch, dim=-1))
    close(model.get_text_features(*to_left(IDS, ATTENTION, 3)).pooler_output, batch)
    for row, length in enumerate(ATTENTION.sum(dim=1).tolist()):
        close(model.get_text_features(IDS[row : row + 1, :length]).pooler_output, batch[row : row + 1])


@each_decoder
@pytest.mark.parametrize("objective", ["cap", "coca"])
def test_new_model_initially_matches_language_model(kind, objective):
    source = language_model(kind, head=True)
    model = combined(kind, objective, effect=False, source=source)
    assert [model.config.text_config.num_hidden_layers, model.config.num_decoder_layers] == [2, 2]
    logits = model(VALUES, MASK, IDS, ATTENTION).logits
    expected = source(input_ids=IDS, attention_mask=ATTENTION).logits
    close(logits[ATTENTION.bool()], expected[ATTENTION.bool()])
    assert logits.abs().max() > 0.1
    ids, attention = to_left(IDS, ATTENTION, 2)
    close(model(VALUES, MASK, ids, attention).logits[attention.bool()], logits[ATTENTION.bool()])
    # With perturbed cross-attention, the logits depend on the sensor values.
    shake(model.decoder.cross_layers, 3)
    a, b = (model(v, None, IDS, ATTENTION).logits for v in (VALUES, VALUES + 1))
    assert (a - b).abs().max() > 1e-3


@each_decoder
def test_coca_embedding_comes_from_first_layers(kind):
    model = combined(kind, "coca", num_decoder_layers=1)
    states = model.base_model.text_model(IDS, ATTENTION)
    whole = language_model(kind, head=True).base_model
    hidden = whole(input_ids=IDS, attention_mask=ATTENTION, output_hidden_states=True).hidden_states[3]
    close(states.last_hidden_state[ATTENTION.bool()], hidden[ATTENTION.bool()])
    batch = model.get_text_features(IDS, ATTENTION).pooler_output
    close(model(VALUES, MASK, IDS, ATTENTION).text_embeds, torch.nn.functional.normalize(batch, dim=-1))


@each_decoder
def test_cached_and_uncached_logits_are_equal(kind):
    model = combined(kind, "coca")
    key_values, token_mask = model.encode_for_captions(VALUES, MASK)
    ids, attention = to_left(IDS, ATTENTION)
    full = model(VALUES, MASK, ids, attention).logits
    cache = DynamicCache(config=model.config)
    assert len(cache.layers) == 4
    for step in [slice(0, 4), slice(4, 5), slice(5, 8), slice(8, 9)]:
        output = model(
            input_ids=ids[:, step],
            attention_mask=attention[:, : step.stop],
            past_key_values=cache,
            sensor_key_values=key_values,
            sensor_token_mask=token_mask,
        )
        real = attention[:, step].bool()
        close(output.logits[real], full[:, step][real])
    assert all(layer.states is None for layer in model.decoder.modules() if hasattr(layer, "release"))


@each_decoder
def test_generation(kind):
    model = combined(kind, "coca")
    arguments = {"sensor_values": VALUES, "sensor_mask": MASK, "max_new_tokens": 7, "eos_token_id": None}
    cached = model.generate(**arguments)
    assert cached.shape == (4, 8)
    assert torch.equal(cached, model.generate(**arguments, use_cache=False))
    for row in range(4):
        tokens = [1]
        for _ in range(7):
            output = model(VALUES[row : row + 1], MASK[row : row + 1], torch.tensor([tokens]), return_loss=False)
            tokens.append(int(output.logits[0, -1].argmax()))
        assert cached[row].tolist() == tokens
    prompted = {**arguments, "input_ids": IDS, "attention_mask": ATTENTION, "num_beams": 3}
    assert torch.equal(model.generate(**prompted), model.generate(**prompted, use_cache=False))
    scores = model.score_text(VALUES, MASK, IDS[:2], ATTENTION[:2])
    assert scores.shape == (4, 2)


@each_kind
@pytest.mark.parametrize("objective", ["clip", "coca"])
def test_save_and_load_preserves_outputs(kind, objective, tmp_path):
    if objective == "coca" and kind in ENCODERS:
        pytest.skip("encoders cannot generate text")
    model = combined(kind, objective)
    expected = model(VALUES, MASK, IDS, ATTENTION)
    model.save_pretrained(tmp_path)
    for loaded in (load_pretrained(tmp_path), AutoModel.from_pretrained(tmp_path)):
        output = loaded(VALUES, MASK, IDS, ATTENTION)
        assert torch.equal(output.sensor_embeds, expected.sensor_embeds)
        assert torch.equal(output.text_embeds, expected.text_embeds)
        if type(loaded) is type(model):
            assert torch.equal(output.loss, expected.loss)
        if loaded.can_generate():
            tied = model.config.tie_word_embeddings
            assert (loaded.decoder.lm_head.weight is loaded.get_input_embeddings().weight) is tied
            assert tied is (kind != "llama")
    assert torch.equal(copy.deepcopy(model)(VALUES, MASK, IDS, ATTENTION).loss, expected.loss)
    half = load_pretrained(tmp_path, dtype=torch.bfloat16)
    assert {p.dtype for p in half.parameters()} == {torch.bfloat16}


def test_freeze_text_after_loading(tmp_path):
    combined("gpt2", "coca").save_pretrained(tmp_path)
    loaded = load_pretrained(tmp_path)
    assert all(p.requires_grad for p in loaded.parameters())
    loaded.freeze_text()
    frozen = {name for name, p in loaded.named_parameters() if not p.requires_grad}
    assert frozen == {
        name
        for name, _ in loaded.named_parameters()
        if ".language_model." in name or name.startswith("decoder.lm_head.")
    }
    assert not loaded.train().base_model.text_model.language_model.training


@each_kind
def test_freeze_text(kind):
    for frozen in (True, False):
        model = combined(kind, "siglip", freeze_text=frozen).train()
        assert model.base_model.text_model.language_model.training is not frozen
        model(VALUES, MASK, IDS, ATTENTION).loss.backward()
        learns = {name for name, p in model.named_parameters() if p.grad is not None}
        inside = {name for name, _ in model.named_parameters() if name.startswith("text_model.language_model.")}
        assert learns == {name for name, _ in model.named_parameters()} - (inside if frozen else set())


@each_decoder
def test_frozen_captioning_model_trains_pooler_and_cross_attention(kind):
    model = combined(kind, "coca").train()
    model(VALUES, MASK, IDS, ATTENTION).loss.backward()
    learns = {name for name, p in model.named_parameters() if p.grad is not None}
    assert {name.split(".")[1] for name in learns if name.startswith("decoder.")} == {"pooler", "cross_layers"}
    assert {name for name in learns if name.startswith("sensorlm.text_model.")} == {
        "sensorlm.text_model.head.weight",
        "sensorlm.text_model.head.bias",
    }
    tuned = combined(kind, "coca", freeze_text=False).train()
    tuned(VALUES, MASK, IDS, ATTENTION).loss.backward()
    assert all(p.grad is not None for p in tuned.parameters())


@each_decoder
@pytest.mark.parametrize("objective", ["cap", "coca"])
def test_unfrozen_model_gives_every_parameter_a_gradient(kind, objective):
    # DDP waits for the gradient of each parameter.
    model = combined(kind, objective, freeze_text=False).train()
    model(VALUES, MASK, IDS, ATTENTION).loss.backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


@each_decoder
@pytest.mark.parametrize("use_reentrant", [True, False])
def test_gradient_checkpointing_preserves_outputs(kind, use_reentrant):
    gradients = []
    for checkpointing in (False, True):
        model = combined(kind, "coca", freeze_text=False)
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
            for name in ("attn_dropout", "attention_dropout"):
                if isinstance(getattr(module, name, None), float):
                    setattr(module, name, 0.0)
        model.train()
        if checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": use_reentrant})
        model(VALUES, MASK, IDS, ATTENTION).loss.backward()
        gradients.append({name: p.grad for name, p in model.named_parameters()})
    for name, gradient in gradients[0].items():
        close(gradient, gradients[1][name])


@pytest.mark.parametrize("kind", ["bert", "gpt2", "gemma2"])
def test_resize_token_embeddings(kind, tmp_path):
    model = combined(kind, "coca" if kind in DECODERS else "clip")
    before = model(VALUES, MASK, IDS, ATTENTION, return_loss=False)
    model.resize_token_embeddings(VOCAB + 5)
    after = model(VALUES, MASK, IDS, ATTENTION, return_loss=False)
    close(after.text_embeds, before.text_embeds)
    if model.can_generate():
        close(after.logits[..., :VOCAB], before.logits)
    model.save_pretrained(tmp_path)
    loaded = load_pretrained(tmp_path)
    assert loaded.config.text_config.vocab_size == VOCAB + 5
    close(loaded(VALUES, MASK, IDS, ATTENTION).loss, model(VALUES, MASK, IDS, ATTENTION).loss)


@pytest.mark.parametrize("tied", [True, False])
def test_resized_head_survives_post_init(tied):
    model = combined("gpt2", "coca", tie_word_embeddings=tied)
    model.resize_token_embeddings(VOCAB + 5)
    head = model.decoder.lm_head.weight.clone()
    model.post_init()
    assert torch.equal(model.decoder.lm_head.weight, head)


@each_decoder
@pytest.mark.parametrize("objective", ["cap", "coca"])
def test_decoder_layers_use_attention_of_language_model(kind, objective):
    model = combined(kind, objective)
    rebuilt = SensorLMForConditionalGeneration(model.config)
    for made in (model, rebuilt):
        decoder = made.decoder
        used = {layer.cross_attn.config._attn_implementation for layer in decoder.cross_layers}
        assert used == {decoder.pooler.attention.config._attn_implementation}
        assert used == {decoder.language_model.config._attn_implementation}
        assert used in ({"sdpa"}, {"eager"})  # Gemma 2 is eager where flash attention is not there
    rebuilt.set_attn_implementation("eager")
    assert rebuilt.decoder.cross_layers[0].cross_attn.config._attn_implementation == "eager"
    assert rebuilt.decoder.language_model.config._attn_implementation == "eager"


def test_unsplit_language_model_as_decoder_raises(tmp_path):
    combined("gpt2", "clip").save_pretrained(tmp_path / "clip")
    config = SensorLMConfig.from_dict(
        {**SensorLMConfig.from_pretrained(tmp_path / "clip").to_dict(), "objective": "coca"}
    )
    assert [config.text_config.num_hidden_layers, config.num_decoder_layers] == [2, 2]
    with pytest.raises(ValueError, match="from_sensor_text_pretrained"):
        SensorLMForConditionalGeneration.from_pretrained(tmp_path / "clip", config=config)
    source = language_model("gpt2", head=True)
    model = SensorLMForConditionalGeneration.from_sensor_text_pretrained(str(tmp_path / "clip"), source)
    assert model.config.objective == "coca"
    clip = SensorLMModel.from_pretrained(tmp_path / "clip")
    close(model.get_sensor_features(VALUES, MASK).pooler_output, clip.get_sensor_features(VALUES, MASK).pooler_output)


def test_from_pretrained_names_paths_and_towers(tmp_path):
    """Loads a language model folder with sentence-transformers pooling, and a trained sensor tower."""
    language_model("bert").save_pretrained(tmp_path / "bert")
    (tmp_path / "bert" / "1_Pooling").mkdir()
    (tmp_path / "bert" / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}')
    torch.manual_seed(5)
    trained = SensorLMModel(small_config("siglip"))
    trained.save_pretrained(tmp_path / "trained")
    model = SensorLMModel.from_sensor_text_pretrained(
        str(tmp_path / "trained"), tmp_path / "bert", objective="clip", max_text_length=10
    )
    assert model.config.text_config.pooling == "first"
    assert model.config.text_config.max_position_embeddings == 10
    close(
        model.get_sensor_features(VALUES, MASK).pooler_output,
        trained.eval().get_sensor_features(VALUES, MASK).pooler_output,
    )
    close(
        model.base_model.text_model(IDS, ATTENTION).last_hidden_state[0],
        language_model("bert")(IDS[:1]).last_hidden_state[0],
    )


def test_eager_and_sdpa_are_equal():
    for kind in DECODERS:
        model = combined(kind, "coca")
        expected = model(VALUES, MASK, IDS, ATTENTION).loss
        model.set_attn_implementation("eager")
        assert model.base_model.text_model.language_model.config._attn_implementation == "eager"
        close(model(VALUES, MASK, IDS, ATTENTION).loss, expected)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: combined("bert", "coca", source=language_model("gpt2")), ["no language-model head", "GPT2Model"]),
        (
            lambda: combined("bert", "cap", source=AutoModelForCausalLM.from_config(ENCODERS["bert"])),
            ["'cap'", "'bert'", "encoder", "'clip' or 'siglip'"],
        ),
        (
            lambda: SensorLMModel.from_sensor_text_pretrained({}, language_model("gpt2"), objective="coca"),
            ["clip, siglip", "'coca'", "SensorLMForConditionalGeneration"],
        ),
        (lambda: SensorLMModel(small_config("clip")).freeze_text(), ["no pretrained language model"]),
        (lambda: combined("gpt2", pooling="max"), ["pooling", "'max'", "'mean', 'first' or 'last'"]),
        (lambda: combined("gpt2", max_text_length=21), ["max_text_length", "1 to 20", "21"]),
        (lambda: combined("gpt2", "coca", num_decoder_layers=4), ["4 layers", "1 to 3"]),
        (lambda: SensorLMTextConfig(language_model_config=T5Config()), ["'t5'", "encoder-decoder"]),
        (lambda: SensorLMTextConfig(language_model_config={"model_type": "gpt9"}), ["'gpt9'", "does not know"]),
        (lambda: SensorLMTextModel(combined("gpt2").config.text_config), ["load the SensorLMModel"]),
        (lambda: combined("llama")(input_ids=IDS.repeat(1, 3)), ["27 tokens", "20"]),
        (
            lambda: combined("llama", "coca").generate(
                sensor_values=VALUES, max_new_tokens=3, cache_implementation="static", disable_compile=True
            ),
            ["dynamic cache", "cache_implementation"],
        ),
        (lambda: combined("bert").text_model(IDS, past_key_values=DynamicCache()), ["cache", "causal"]),
        (
            lambda: combined("llama", "coca")(VALUES, MASK, IDS, past_key_values=DynamicCache()),
            ["cache has 0 layers", "DynamicCache(config=model.config)"],
        ),
    ],
)
def test_invalid_arguments_raise(call, words):
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the message is checked below
        call()
    for word in words:
        assert word in str(error.value), str(error.value)


@pytest.mark.parametrize("name", list(EVERY))
def test_text_configuration_speaks_for_its_language_model(name):
    model = combined(name)
    text = model.config.text_config
    model.config._attn_implementation = "eager"
    assert text.language_model_config._attn_implementation == "eager"
    model.set_attn_implementation("eager")
    text.output_hidden_states = text.output_attentions = True
    layers = text.num_hidden_layers
    with torch.no_grad():
        requested = model.get_text_features(IDS, ATTENTION)
        refused = model.get_text_features(IDS, ATTENTION, output_hidden_states=False, output_attentions=False)
    assert (len(requested.hidden_states), len(requested.attentions)) == (layers + 1, layers)
    assert refused.hidden_states is None
    assert refused.attentions is None
    torch.testing.assert_close(refused.pooler_output, requested.pooler_output)


def test_new_model_without_checkpoint_lacks_nothing():
    config = combined("gpt2", "cap").config
    model = SensorLMForConditionalGeneration.from_pretrained(None, config=config, state_dict={})
    assert torch.isfinite(model(VALUES, MASK, IDS, ATTENTION).loss)
