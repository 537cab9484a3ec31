"""Every kind of generation that transformers tests of its own models, for `cap` and `coca`, own decoder and GPT-2.

The oracle writes captions with full forward passes of single days: no cache, no batch, no padding.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from model_cases import POSITIONS, VOCAB, days, gaps, gpt2_captioner, small_model, texts, to_left
from transformers import (
    AutoTokenizer,
    DynamicCache,
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
)
from transformers.cache_utils import QuantizedLayer
from transformers.generation.streamers import BaseStreamer
from transformers.utils import is_hqq_available, is_optimum_quanto_available

from sensorlm_hf.modeling import load_pretrained

VALUES, MASK = days(3), gaps(3)
IDS, ATTENTION = texts((6, 4, 3))
MODELS = {
    "cap": small_model("cap"),
    "coca": small_model("coca"),
    "coca, rotary": small_model("coca", rope_theta=100.0),
    "cap, GPT-2": gpt2_captioner("cap"),
    "coca, GPT-2": gpt2_captioner("coca"),
}
OWN = [name for name in MODELS if "GPT-2" not in name]
each_model = pytest.mark.parametrize("model", list(MODELS.values()), ids=list(MODELS))
each_own_model = pytest.mark.parametrize("model", [MODELS[name] for name in OWN], ids=OWN)
FREE = {"eos_token_id": None, "max_new_tokens": 6}


@torch.no_grad()
def next_scores(model: Any, row: int, tokens: list[int]) -> torch.Tensor:
    """Log-probabilities of the token that follows a text about one day."""
    day, mask = VALUES[row : row + 1], MASK[row : row + 1]
    return model(day, mask, torch.tensor([tokens]), return_loss=False).logits[0, -1].log_softmax(-1)


def greedy(model: Any, row: int, new: int = 6, prompt: tuple[int, ...] = (1,)) -> list[int]:
    tokens = list(prompt)
    for _ in range(new):
        tokens.append(int(next_scores(model, row, tokens).argmax()))
    return tokens


def beams(model: Any, row: int, width: int, new: int) -> list[int]:
    """Beam search without an end token: all beams have one length."""
    kept: list[tuple[float, list[int]]] = [(0.0, [1])]
    for _ in range(new):
        longer = [
            (score + float(scores[token]), [*tokens, token])
            for score, tokens in kept
            for scores in [next_scores(model, row, tokens)]
            for token in range(VOCAB)
        ]
        kept = sorted(longer, key=lambda entry: -entry[0])[:width]
    return kept[0][1]


@each_model
def test_days_matter(model):
    """Otherwise the tests below would pass with a decoder that ignores the sensors."""
    scores = [next_scores(model, row, [1]) for row in range(3)]
    assert (scores[0] - scores[1]).abs().max() > 1e-3
    assert (scores[1] - scores[2]).abs().max() > 1e-3


@each_model
@pytest.mark.parametrize("use_cache", [True, False])
def test_greedy_search(model, use_cache):
    result = model.generate(VALUES, MASK, **FREE, use_cache=use_cache)
    assert result.tolist() == [greedy(model, row) for row in range(3)]


@each_model
@pytest.mark.parametrize("use_cache", [True, False])
def test_beam_search(model, use_cache):
    result = model.generate(VALUES, MASK, eos_token_id=None, max_new_tokens=4, num_beams=3, use_cache=use_cache)
    assert result.tolist() == [beams(model, row, 3, 4) for row in range(3)]


@each_model
def test_sampling_repeats_with_its_seed_and_stays_among_likely_tokens(model):
    draws = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        draws.append(model.generate(VALUES, MASK, **FREE, do_sample=True, temperature=2.0, top_k=5))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    for row, tokens in enumerate(draws[0].tolist()):
        for end in range(1, len(tokens)):
            assert tokens[end] in next_scores(model, row, tokens[:end]).topk(5).indices.tolist()


@each_model
def test_beam_sampling(model):
    torch.manual_seed(0)
    options = {**FREE, "do_sample": True, "num_beams": 2, "num_return_sequences": 2}
    result = model.generate(VALUES, MASK, **options, return_dict_in_generate=True, output_scores=True)
    assert result.sequences.shape == (6, 7)
    assert result.sequences_scores.shape == (6,)
    torch.manual_seed(0)
    assert torch.equal(model.generate(VALUES, MASK, **options), result.sequences)
    for number, tokens in enumerate(result.sequences.tolist()):
        total = sum(float(next_scores(model, number // 2, tokens[:end])[tokens[end]]) for end in range(1, 7))
        # Top-k of 50 leaves all of the vocabulary: the scores are the model's.
        assert result.sequences_scores[number].item() == pytest.approx(total / 6, abs=1e-4)


@each_model
@pytest.mark.parametrize("padding", ["left", "right"])
def test_padding_does_not_change_captions(model, padding):
    prompts = [IDS[row, : int(ATTENTION[row].sum()) - 1].tolist() for row in range(3)]
    ids, attention = (IDS, ATTENTION) if padding == "right" else to_left(IDS, ATTENTION, 2)
    # The end of the prompts is known, while captions may contain the token.
    result = model.generate(VALUES, MASK, ids, attention, max_new_tokens=4, min_new_tokens=4)
    scores = model.generate(
        VALUES, MASK, ids, attention, max_new_tokens=1, min_new_tokens=1, output_logits=True,
        return_dict_in_generate=True,
    ).logits[0]  # fmt: skip
    for row, prompt in enumerate(prompts):
        start = result.shape[1] - 4 - len(prompt)
        assert result[row, start : start + len(prompt)].tolist() == prompt
        expected = next_scores(model, row, prompt)
        torch.testing.assert_close(scores[row].log_softmax(-1), expected, atol=1e-4, rtol=1e-4)


@each_model
def test_positions_may_be_given(model):
    ids, attention = to_left(IDS[:, :3], torch.ones(3, 3, dtype=torch.long), 2)
    positions = (attention.cumsum(1) - 1).clamp(min=0)
    with torch.no_grad():
        implicit = model(VALUES, MASK, ids, attention, return_loss=False).logits
        explicit = model(VALUES, MASK, ids, attention, position_ids=positions, return_loss=False).logits
    real = attention.bool()
    torch.testing.assert_close(explicit[real], implicit[real])


@each_model
def test_last_logits_are_those_of_all(model):
    with torch.no_grad():
        every = model(VALUES, MASK, IDS, return_loss=False).logits
        last = model(VALUES, MASK, IDS, return_loss=False, logits_to_keep=2).logits
    torch.testing.assert_close(last, every[:, -2:])


# ---- Caches


@each_model
def test_cache_has_layers_of_text_tower_and_decoder(model):
    output = model.generate(VALUES, MASK, **FREE, return_dict_in_generate=True)
    cache = output.past_key_values
    assert isinstance(cache, DynamicCache)
    assert len(cache.layers) == 4
    for layer in cache.layers:
        # The last token is written, but not read.
        assert layer.keys.shape == layer.values.shape == (3, 2, 6, 16)


@each_model
def test_generation_continues_with_more_prompt(model):
    first = model.generate(VALUES, MASK, **FREE, return_dict_in_generate=True)
    ids = torch.cat([first.sequences, torch.full((3, 1), 7)], dim=1)
    rest = model.generate(VALUES, MASK, ids, past_key_values=first.past_key_values, eos_token_id=None, max_new_tokens=3)
    for row in range(3):
        assert rest[row].tolist() == greedy(model, row, 3, tuple(ids[row].tolist()))


@each_model
def test_end_token_inside_a_text_stays(model):
    """Where captions do not end with it, it is a token like others, in prompts, in drafts and in continued texts."""
    prompt = (1, 7, 2)
    day = {"sensor_values": VALUES[:1], "sensor_mask": MASK[:1], "input_ids": torch.tensor([prompt])}
    expected = greedy(model, 0, 6, prompt)
    assert model.generate(**day, **FREE)[0].tolist() == expected
    assert model.generate(**day, **FREE, assistant_model=small_model("cap", seed=5))[0].tolist() == expected
    first = model.generate(
        **{**day, "input_ids": torch.tensor([[1, 7]])}, max_new_tokens=1, return_dict_in_generate=True
    )
    rest = model.generate(**day, **FREE, past_key_values=first.past_key_values)
    assert rest[0].tolist() == expected
    # As a prompt that the tokenizer has ended, it continues without the token.
    assert model.generate(**day, max_new_tokens=1)[0, :2].tolist() == [1, 7]
    assert model.generate(**day, max_new_tokens=1).shape[1] == 3


@each_own_model
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_static_cache(model, attention):
    before = model.config._attn_implementation
    model.set_attn_implementation(attention)
    try:
        for options in ({}, {"num_beams": 2}):
            arguments = {**FREE, **options, "input_ids": IDS, "attention_mask": ATTENTION}
            static = {"cache_implementation": "static", "disable_compile": True}
            expected = model.generate(VALUES, MASK, **arguments, use_cache=False)
            assert torch.equal(model.generate(VALUES, MASK, **arguments, **static), expected)
    finally:
        model.set_attn_implementation(before)


def test_static_cache_of_language_model_is_refused():
    with pytest.raises(ValueError, match="needs a dynamic cache"):
        MODELS["coca, GPT-2"].generate(VALUES, MASK, **FREE, cache_implementation="static", disable_compile=True)


@each_model
def test_quantised_cache(model):
    backend = next(
        (name for name, there in (("quanto", is_optimum_quanto_available()), ("hqq", is_hqq_available())) if there),
        None,
    )
    if backend is None:
        pytest.skip("a quantised cache needs optimum-quanto or hqq")
    config = {"backend": backend, "nbits": 4, "residual_length": 2, "q_group_size": 16}
    output = model.generate(
        VALUES, MASK, **FREE, cache_implementation="quantized", cache_config=config, return_dict_in_generate=True,
        output_logits=True,
    )  # fmt: skip
    assert all(isinstance(layer, QuantizedLayer) for layer in output.past_key_values.layers)
    for row, tokens in enumerate(output.sequences.tolist()):
        for step, logits in enumerate(output.logits):
            expected = next_scores(model, row, tokens[: step + 1])
            if step == 0:  # nothing is read from the cache yet
                torch.testing.assert_close(logits[row].log_softmax(-1), expected, atol=1e-4, rtol=1e-4)
            # Four bits leave an error, a wrong order of layers or tokens would leave no relation.
            assert torch.corrcoef(torch.stack([logits[row], expected]))[0, 1] > 0.98


@each_model
@pytest.mark.skipif(not torch.cuda.is_available(), reason="the offloaded cache moves layers between a GPU and the CPU")
def test_offloaded_cache(model):
    moved = model.to("cuda")
    try:
        options = {**FREE, "sensor_values": VALUES.cuda(), "sensor_mask": MASK.cuda()}
        expected = moved.generate(**options)
        assert torch.equal(moved.generate(**options, cache_implementation="offloaded"), expected)
    finally:
        model.to("cpu")


# ---- Assisted generation


@each_model
@pytest.mark.parametrize("kind", ["itself", "another"])
def test_assisted_generation_equals_greedy_search(model, kind):
    assistant = model if kind == "itself" else small_model("cap", seed=5, num_decoder_layers=1)
    for row in range(3):
        day = {"sensor_values": VALUES[row : row + 1], "sensor_mask": MASK[row : row + 1]}
        result = model.generate(**day, **FREE, assistant_model=assistant, do_sample=False)
        assert result[0].tolist() == greedy(model, row)


@each_model
def test_assisted_sampling_repeats_with_its_seed(model):
    day = {"sensor_values": VALUES[:1], "sensor_mask": MASK[:1]}
    draws = []
    for _ in range(2):
        torch.manual_seed(2)
        draws.append(model.generate(**day, **FREE, do_sample=True, assistant_model=small_model("cap", seed=5)))
    assert torch.equal(*draws)
    assert draws[0].shape == (1, 7)


@each_model
@pytest.mark.parametrize("prompt", [(1,), (1, 5, 6, 5, 6, 5)])
def test_prompt_lookup_equals_greedy_search(model, prompt):
    day = {"sensor_values": VALUES[:1], "sensor_mask": MASK[:1], "input_ids": torch.tensor([prompt])}
    result = model.generate(**day, **FREE, prompt_lookup_num_tokens=2)
    assert result[0].tolist() == greedy(model, 0, 6, prompt)


# ---- Ends


class After(StoppingCriteria):
    """Ends all captions at a length."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        return torch.full((len(input_ids),), input_ids.shape[1] >= self.length)


class Only(LogitsProcessor):
    """Leaves one token."""

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        return torch.full_like(scores, -torch.inf).index_fill(1, torch.tensor([9]), 0.0)


class Written(BaseStreamer):
    """Collects what is streamed."""

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.ended = False

    def put(self, value: torch.Tensor) -> None:
        self.tokens += value.flatten().tolist()

    def end(self) -> None:
        self.ended = True


@each_model
def test_own_criteria_processors_and_streamers(model):
    stopped = model.generate(VALUES, MASK, **FREE, stopping_criteria=StoppingCriteriaList([After(4)]))
    assert stopped.tolist() == [greedy(model, row, 3) for row in range(3)]
    only = model.generate(VALUES, MASK, **FREE, logits_processor=LogitsProcessorList([Only()]))
    assert only[:, 1:].unique().tolist() == [9]
    streamer = Written()
    result = model.generate(VALUES[:1], MASK[:1], **FREE, streamer=streamer)
    assert streamer.tokens == result[0].tolist()
    assert streamer.ended


@each_model
def test_lengths(model):
    limit = POSITIONS + 1
    longest = model.generate(VALUES, MASK, eos_token_id=None)
    assert longest.shape == (3, limit)
    assert torch.equal(model.generate(VALUES, MASK, eos_token_id=None, max_length=limit), longest)
    assert torch.equal(model.generate(VALUES, MASK, eos_token_id=None, max_length=5), longest[:, :5])
    for options in ({"max_length": limit + 1}, {"max_new_tokens": limit}):
        with pytest.raises(ValueError, match=f"{limit + 1} tokens were requested"):
            model.generate(VALUES, MASK, **options)
    end = int(longest[0, 1])
    assert model.generate(VALUES[:1], MASK[:1], eos_token_id=end).tolist() == [[1, end]]
    assert end not in model.generate(VALUES[:1], MASK[:1], eos_token_id=end, min_new_tokens=3)[0, 1:4].tolist()


@pytest.mark.parametrize("num_beams", [1, 2])
def test_stop_strings(num_beams):
    folder = Path(__file__).resolve().parents[1] / "fixtures" / "tiny-coca"
    model, tokenizer = load_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    config = model.config.sensor_config
    day = days(1, minutes=config.window_minutes, channels=config.num_channels)
    options = {"max_new_tokens": 12, "min_new_tokens": 12, "num_beams": num_beams}
    stop = tokenizer.decode(model.generate(day, **options)[0, -1:]).strip()[-1]
    stopped = model.generate(day, **options, stop_strings=[stop], tokenizer=tokenizer)[0, 1:].tolist()
    written = [tokenizer.decode(token) for token in stopped if token != tokenizer.pad_token_id]
    assert stop in written[-1]
    if num_beams == 1:  # a beam that has not stopped yet may overtake one that has
        assert not any(stop in piece for piece in written[:-1])
    with pytest.raises(ValueError, match="tokenizer"):
        model.generate(day, stop_strings=[stop])


@each_model
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"inputs_embeds": torch.zeros(3, 2, 32)}, "inputs_embeds"),
        ({"decoder_input_ids": IDS}, "decoder_input_ids"),
        ({"sensor": VALUES}, "sensor"),
        ({"num_return_sequences": 2}, "num_return_sequences"),
    ],
    ids=["inputs_embeds", "decoder_input_ids", "typo", "several greedy captions"],
)
def test_refusals(model, options, words):
    with pytest.raises(ValueError, match=words):
        model.generate(VALUES, MASK, max_new_tokens=3, **options)
