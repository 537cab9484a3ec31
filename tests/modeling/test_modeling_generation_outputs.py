"""What generation returns besides tokens, and the kinds of generation that transformers offers beyond search."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from model_cases import VOCAB, days, gaps, gpt2_captioner, small_model, texts
from transformers import AutoTokenizer, DynamicCache

from sensorlm_hf.modeling import load_pretrained

TINY = Path(__file__).resolve().parents[1] / "fixtures" / "tiny-coca"
VALUES, MASK = days(2), gaps(2)
IDS, ATTENTION = texts((9, 6))


MODELS = {
    "cap": small_model("cap"),
    "coca": small_model("coca"),
    "cap, GPT-2": gpt2_captioner("cap"),
    "coca, GPT-2": gpt2_captioner("coca"),
}
for model in MODELS.values():
    model.set_attn_implementation("eager")
each_model = pytest.mark.parametrize("model", list(MODELS.values()), ids=list(MODELS))


@each_model
def test_attentions_and_hidden_states_have_one_entry_per_layer(model):
    with torch.no_grad():
        output = model(VALUES, MASK, IDS, ATTENTION, output_attentions=True, output_hidden_states=True)
        plain = model(VALUES, MASK, IDS, ATTENTION)
    assert len(output.attentions) == 4
    assert len(output.hidden_states) == 5
    assert len(output.cross_attentions) == 2
    assert {tuple(states.shape) for states in output.hidden_states} == {(2, 9, 32)}
    assert {tuple(weights.shape) for weights in output.attentions} == {(2, 2, 9, 9)}
    assert {tuple(weights.shape) for weights in output.cross_attentions} == {(2, 2, 9, 5)}
    for weights in (*output.attentions, *output.cross_attentions):
        real = weights[0]  # the second row has padding
        torch.testing.assert_close(real.sum(-1), torch.ones(real.shape[:-1]))
    for weights in output.attentions:
        assert not weights.triu(1).any()
    # The states that the decoder starts from are those that the text tower ends with.
    torch.testing.assert_close(output.hidden_states[2], output.text_model_output.last_hidden_state)
    torch.testing.assert_close(output.logits, plain.logits)
    assert plain.hidden_states is None
    assert plain.attentions is None
    assert plain.cross_attentions is None


def test_last_hidden_state_of_decoder_gives_logits():
    model = MODELS["coca"]
    with torch.no_grad():
        output = model(VALUES, MASK, IDS, ATTENTION, output_hidden_states=True)
        logits = model.decoder.lm_head(model.decoder.final_layer_norm(output.hidden_states[-1]))
    torch.testing.assert_close(logits, output.logits)


def test_configuration_requests_outputs():
    model = small_model("cap")
    for config in (model.config, model.config.sensor_config, model.config.text_config):
        config.output_hidden_states = True
    with torch.no_grad():
        output = model(VALUES, MASK, IDS, ATTENTION)
    assert len(output.hidden_states) == 5
    assert len(output.sensor_model_output.hidden_states) == 3


@each_model
@pytest.mark.parametrize("num_beams", [1, 3])
def test_generation_returns_scores_attentions_and_hidden_states(model, num_beams):
    output = model.generate(
        VALUES, MASK, max_new_tokens=4, min_new_tokens=4, num_beams=num_beams, return_dict_in_generate=True,
        output_scores=True, output_logits=True, output_attentions=True, output_hidden_states=True,
    )  # fmt: skip
    rows = 2 * num_beams
    assert len(output.scores) == len(output.logits) == len(output.attentions) == len(output.hidden_states) == 4
    for step in range(4):
        assert output.scores[step].shape == output.logits[step].shape == (rows, VOCAB)
        assert [tuple(w.shape) for w in output.attentions[step]] == [(rows, 2, 1, step + 1)] * 4
        assert [tuple(s.shape) for s in output.hidden_states[step]] == [(rows, 1, 32)] * 5
    if num_beams == 1:
        greedy = torch.stack([scores.argmax(-1) for scores in output.scores], 1)
        assert greedy.tolist() == output.sequences[:, 1:].tolist()


@each_model
def test_cached_attentions_are_rows_of_uncached_ones(model):
    output = model.generate(VALUES, MASK, max_new_tokens=3, min_new_tokens=3, return_dict_in_generate=True,
                            output_attentions=True)  # fmt: skip
    with torch.no_grad():
        whole = model(VALUES, MASK, output.sequences[:, :-1], output_attentions=True)
    for step in range(3):
        for cached, full in zip(output.attentions[step], whole.attentions, strict=True):
            torch.testing.assert_close(cached[:, :, 0], full[:, :, step, : step + 1], atol=1e-5, rtol=1e-4)


# ---- Assisted generation


@pytest.mark.parametrize(
    "assistant",
    [small_model("coca"), small_model("coca", seed=5), small_model("cap", seed=6, num_decoder_layers=1)],
    ids=["same", "other weights", "other shape"],
)
def test_assisted_generation_equals_greedy_search(assistant):
    model = MODELS["coca"]
    for row in range(2):
        one = {"sensor_values": VALUES[row : row + 1], "sensor_mask": MASK[row : row + 1]}
        plain = model.generate(**one, max_new_tokens=8, do_sample=False)
        assisted = model.generate(**one, max_new_tokens=8, do_sample=False, assistant_model=assistant)
        assert assisted.tolist() == plain.tolist()


def test_assistant_sees_the_same_day():
    # With the model as its own assistant every proposal is right, which needs the day.
    model = small_model("cap")
    assistant = small_model("cap")
    seen = []
    assistant.decoder.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(kwargs["sensor_key_values"]), with_kwargs=True
    )
    model.generate(VALUES[:1], MASK[:1], assistant_model=assistant, max_new_tokens=6, do_sample=False)
    expected, _ = assistant.encode_for_captions(VALUES[:1], MASK[:1])
    assert seen
    for keys in seen:
        torch.testing.assert_close(keys, expected)


def test_prompt_lookup_equals_greedy_search():
    model = MODELS["coca"]
    one = {"sensor_values": VALUES[:1], "sensor_mask": MASK[:1], "max_new_tokens": 8, "do_sample": False}
    assert model.generate(**one, prompt_lookup_num_tokens=3).tolist() == model.generate(**one).tolist()


def test_encoded_days_generate_same_captions():
    model = MODELS["cap"]
    keys, mask = model.encode_for_captions(VALUES, MASK)
    expected = model.generate(VALUES, MASK, max_new_tokens=6)
    assert model.generate(sensor_key_values=keys, sensor_token_mask=mask, max_new_tokens=6).tolist() == (
        expected.tolist()
    )
    beams = {"max_new_tokens": 6, "num_beams": 2, "num_return_sequences": 2}
    encoded = model.generate(sensor_key_values=keys, sensor_token_mask=mask, **beams)
    assert encoded.tolist() == model.generate(VALUES, MASK, **beams).tolist()
    with pytest.raises(ValueError, match="assistant encodes the days itself"):
        model.generate(sensor_key_values=keys, assistant_model=small_model("cap"))


# ---- Ends, caches, refusals


def test_stop_strings_end_captions():
    model, tokenizer = load_pretrained(TINY), AutoTokenizer.from_pretrained(TINY)
    config = model.config.sensor_config
    day = days(1, minutes=config.window_minutes, channels=config.num_channels)
    free = model.generate(day, max_new_tokens=12, min_new_tokens=12)
    stop = tokenizer.decode(free[0, -1:]).strip()[-1]
    stopped = model.generate(day, max_new_tokens=12, min_new_tokens=12, stop_strings=[stop], tokenizer=tokenizer)
    written = [tokenizer.decode(token) for token in free[0, 1:]]
    end = next(index for index, text in enumerate(written) if stop in text)
    assert stopped[0].tolist() == free[0, : end + 2].tolist()


@each_model
def test_generation_continues_from_past_key_values(model):
    whole = model.generate(VALUES, MASK, max_new_tokens=8, min_new_tokens=8)
    first = model.generate(VALUES, MASK, max_new_tokens=4, min_new_tokens=4, return_dict_in_generate=True)
    rest = model.generate(
        VALUES, MASK, input_ids=first.sequences, past_key_values=first.past_key_values, max_new_tokens=4,
        min_new_tokens=4,
    )  # fmt: skip
    assert rest.tolist() == whole.tolist()


@pytest.mark.parametrize("implementation", ["static", "offloaded", "dynamic"])
def test_cache_implementations_give_same_captions(implementation):
    model = MODELS["coca"]
    if implementation == "offloaded" and not torch.cuda.is_available():
        pytest.skip("the offloaded cache moves layers between a GPU and the CPU")
    expected = model.generate(VALUES, MASK, max_new_tokens=6, use_cache=False)
    cached = model.generate(VALUES, MASK, max_new_tokens=6, cache_implementation=implementation, disable_compile=True)
    assert cached.tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("kwargs", "error", "words"),
    [
        ({"inputs_embeds": torch.zeros(2, 3, 32)}, ValueError, "inputs_embeds"),
        ({"sensors": VALUES}, ValueError, "sensors"),
    ],
)
def test_unsupported_inputs_raise(kwargs, error, words):
    with pytest.raises(error, match=words):
        MODELS["coca"].generate(VALUES, MASK, max_new_tokens=3, **kwargs)


def test_cache_belongs_to_one_generation():
    model = MODELS["cap"]
    cache = DynamicCache(config=model.config)
    model.generate(VALUES, MASK, past_key_values=cache, max_new_tokens=4, min_new_tokens=4)
    assert cache.get_seq_length() == 4
    assert len(cache.layers) == 4
