from __future__ import annotations

import copy

import pytest
import torch
from model_cases import POSITIONS, VOCAB, days, gaps, in_steps, small_model, texts, to_left
from transformers import DynamicCache, GenerationConfig

from sensorlm_hf.modeling import SensorLMForConditionalGeneration, SensorLMModel

MODELS = {
    "cap": small_model("cap"),
    "coca": small_model("coca"),
    "coca, all sensor tokens": small_model("coca", num_caption_queries=0),
}
VALUES, MASK = days(), gaps()
IDS, ATTENTION = texts()
each_model = pytest.mark.parametrize("model", list(MODELS.values()), ids=list(MODELS))


def close(a: torch.Tensor, b: torch.Tensor) -> None:
    torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def greedy_oracle(
    model: SensorLMForConditionalGeneration, row: int, prompt: list[int], new: int, eos: int | None = 2
) -> list[int]:
    """Greedy search for one row, with full forward passes and no cache."""
    tokens = list(prompt)
    for _ in range(new):
        output = model(VALUES[row : row + 1], MASK[row : row + 1], torch.tensor([tokens]), return_loss=False)
        tokens.append(int(output.logits[0, -1].argmax()))
        if tokens[-1] == eos:
            break
    return tokens


@torch.no_grad()
def log_likelihood(model: SensorLMForConditionalGeneration, row: int, tokens: list[int], first: int) -> float:
    output = model(VALUES[row : row + 1], MASK[row : row + 1], torch.tensor([tokens]), return_loss=False)
    scores = output.logits[0].log_softmax(-1)
    return sum(scores[i - 1, tokens[i]].item() for i in range(first, len(tokens)))


def up_to_end(tokens: list[int], eos: int = 2) -> list[int]:
    return tokens[: tokens.index(eos, 1) + 1] if eos in tokens[1:] else tokens


@each_model
@pytest.mark.parametrize("use_cache", [True, False])
def test_greedy_search(model, use_cache):
    result = model.generate(sensor_values=VALUES, sensor_mask=MASK, max_new_tokens=8, use_cache=use_cache)
    assert result[:, 0].tolist() == [1] * 4
    for row in range(4):
        assert up_to_end(result[row].tolist()) == greedy_oracle(model, row, [1], 8)


@each_model
def test_cached_and_uncached_logits_are_equal(model):
    key_values, token_mask = model.encode_for_captions(VALUES, MASK)
    ids, attention = to_left(IDS, ATTENTION)
    full = model(VALUES, MASK, ids, attention).logits
    cache = DynamicCache(config=model.config)
    assert len(cache.layers) == 4  # two text tower layers and two decoder layers
    inputs = {"past_key_values": cache, "sensor_key_values": key_values, "sensor_token_mask": token_mask}
    for step, output in in_steps(model, ids, attention, (4, 5, 8, 9), **inputs):
        real = attention[:, step].bool()
        close(output.logits[real], full[:, step][real])
        assert output.loss is None
    assert cache.get_seq_length() == 9
    assert all(layer.keys.shape[2] == 9 for layer in cache.layers)


@each_model
def test_precomputed_keys_and_values_give_same_logits(model):
    key_values, token_mask = model.encode_for_captions(VALUES, MASK)
    labels = IDS.masked_fill(ATTENTION == 0, -100)
    inputs = {"input_ids": IDS, "attention_mask": ATTENTION, "labels": labels}
    once = model(**inputs, sensor_key_values=key_values, sensor_token_mask=token_mask)
    full = model(VALUES, MASK, IDS, ATTENTION)
    close(once.logits, full.logits)
    close(once.caption_loss, full.caption_loss)
    assert once.contrastive_loss is None


@each_model
@pytest.mark.parametrize("use_cache", [True, False])
def test_prompts_with_different_lengths_and_padding(model, use_cache):
    lengths = ATTENTION.sum(dim=1).tolist()
    # The final <eos> is removed so that the caption continues.
    prompts = [IDS[row, : length - 1].tolist() for row, length in enumerate(lengths)]
    arguments = {"sensor_values": VALUES, "sensor_mask": MASK, "max_new_tokens": 5, "use_cache": use_cache}
    right = model.generate(input_ids=IDS, attention_mask=ATTENTION, **arguments)
    ids, attention = to_left(IDS, ATTENTION, 2)
    left = model.generate(input_ids=ids, attention_mask=attention, **arguments)
    assert torch.equal(left, right)
    assert right.shape[1] <= max(map(len, prompts)) + 5
    for row, prompt in enumerate(prompts):
        start = max(map(len, prompts)) - len(prompt)
        assert right[row, :start].tolist() == [0] * start
        expected = greedy_oracle(model, row, prompt, 5)
        assert right[row, start : start + len(expected)].tolist() == expected


@each_model
def test_one_prompt_for_all_days(model):
    result = model.generate(
        input_ids=torch.tensor([[1, 9, 11]]), sensor_values=VALUES, sensor_mask=MASK, max_new_tokens=3, min_new_tokens=3
    )
    assert result[:, :3].tolist() == [[1, 9, 11]] * 4
    for row in range(4):
        alone = model.generate(
            input_ids=torch.tensor([[1, 9, 11]]),
            sensor_values=VALUES[row : row + 1],
            sensor_mask=MASK[row : row + 1],
            max_new_tokens=3,
            min_new_tokens=3,
        )
        assert torch.equal(alone[0], result[row])


@each_model
@pytest.mark.parametrize("use_cache", [True, False])
def test_beam_search_is_exhaustive_for_short_captions(model, use_cache):
    """With as many beams as tokens, two steps of beam search are exhaustive."""
    result = model.generate(
        sensor_values=VALUES[:2],
        sensor_mask=MASK[:2],
        num_beams=VOCAB,
        max_new_tokens=2,
        eos_token_id=None,
        use_cache=use_cache,
    )
    for row in range(2):
        best = int(_two_step_scores(model, row).argmax())
        assert result[row].tolist() == [1, best // VOCAB, best % VOCAB]


@torch.no_grad()
def _two_step_scores(model: SensorLMForConditionalGeneration, row: int) -> torch.Tensor:
    """Log-likelihood of every pair of first and second token, `(VOCAB, VOCAB)`."""
    ids = torch.stack([torch.ones(VOCAB, dtype=torch.long), torch.arange(VOCAB)], dim=1)
    values, mask = VALUES[row].expand(VOCAB, -1, -1), MASK[row].expand(VOCAB, -1, -1)
    scores = model(values, mask, ids, return_loss=False).logits.log_softmax(-1)
    return scores[0, 0][:, None] + scores[:, 1]


@each_model
def test_multiple_captions_and_beams_keep_rows_separate(model):
    result = model.generate(
        sensor_values=VALUES, sensor_mask=MASK, num_beams=4, num_return_sequences=2, max_new_tokens=4, eos_token_id=None
    )
    assert result.shape == (8, 5)
    for row in range(4):
        first, second = (result[2 * row + k].tolist() for k in (0, 1))
        assert log_likelihood(model, row, first, 1) >= log_likelihood(model, row, second, 1)
        greedy = greedy_oracle(model, row, [1], 4, eos=None)
        assert log_likelihood(model, row, first, 1) >= log_likelihood(model, row, greedy, 1) - 1e-4


@each_model
def test_sampling_follows_model_distribution(model):
    torch.manual_seed(0)
    draws = model.generate(
        sensor_values=VALUES[:1], sensor_mask=MASK[:1], do_sample=True, top_k=0, max_new_tokens=1,
        num_return_sequences=4000,
    )[:, 1]  # fmt: skip
    with torch.no_grad():
        logits = model(VALUES[:1], MASK[:1], torch.tensor([[1]]), return_loss=False).logits[0, -1]
    expected = logits.softmax(-1)
    observed = torch.bincount(draws, minlength=VOCAB) / 4000
    assert (observed - expected).abs().max() < 0.05
    torch.manual_seed(1)
    a = model.generate(sensor_values=VALUES, sensor_mask=MASK, do_sample=True, max_new_tokens=5)
    torch.manual_seed(1)
    b = model.generate(sensor_values=VALUES, sensor_mask=MASK, do_sample=True, max_new_tokens=5)
    assert torch.equal(a, b)


@each_model
@pytest.mark.parametrize("use_cache", [True, False])
def test_sampled_captions_are_grouped_by_day(model, use_cache):
    """With `top_k=1`, each sampled caption of a day equals its greedy caption."""
    result = model.generate(
        sensor_values=VALUES, sensor_mask=MASK, do_sample=True, top_k=1, num_return_sequences=3, max_new_tokens=5,
        eos_token_id=None, use_cache=use_cache,
    )  # fmt: skip
    assert result.shape == (12, 6)
    for row in range(4):
        assert result[3 * row : 3 * row + 3].tolist() == [greedy_oracle(model, row, [1], 5, eos=None)] * 3


@each_model
@pytest.mark.parametrize("num_beams", [1, 2])
def test_constrained_prefixes(model, num_beams):
    """Each day has its own set of allowed first tokens; later tokens are unconstrained."""
    allowed = {0: [3, 4], 1: [5, 6], 2: [7], 3: [8, 9, 10]}

    def prefixes(row: int, tokens: torch.Tensor) -> list[int]:
        return allowed[row] if len(tokens) <= 2 else list(range(VOCAB))

    result = model.generate(
        sensor_values=VALUES, sensor_mask=MASK, max_new_tokens=5, eos_token_id=None, num_beams=num_beams,
        prefix_allowed_tokens_fn=prefixes,
    )  # fmt: skip
    for row in range(4):
        assert set(result[row, 1:3].tolist()) <= set(allowed[row])
        if num_beams == 1:
            assert result[row].tolist() == _constrained_oracle(model, row, allowed[row])


@torch.no_grad()
def _constrained_oracle(model: SensorLMForConditionalGeneration, row: int, allowed: list[int]) -> list[int]:
    """Greedy search for one row whose first two tokens are restricted to the allowed ones."""
    tokens = [1]
    for step in range(5):
        output = model(VALUES[row : row + 1], MASK[row : row + 1], torch.tensor([tokens]), return_loss=False)
        scores = output.logits[0, -1]
        choice = allowed if step < 2 else list(range(VOCAB))
        tokens.append(choice[int(scores[choice].argmax())])
    return tokens


@each_model
def test_min_length(model):
    """Each first greedy token in turn becomes the end token, which would end the caption immediately."""
    ends = [greedy_oracle(model, row, [1], 1, eos=None)[1] for row in range(4)]
    for row, end in enumerate(ends):
        arguments = {"sensor_values": VALUES[row : row + 1], "sensor_mask": MASK[row : row + 1], "eos_token_id": end}
        assert model.generate(**arguments, max_new_tokens=9).tolist() == [[1, end]]
        result = model.generate(**arguments, min_new_tokens=6, max_new_tokens=9)
        assert result.shape[1] >= 7
        assert end not in result[0, 1:7].tolist()


def test_generation_stops_at_end_token_and_pads():
    model = copy.deepcopy(MODELS["cap"])
    first = greedy_oracle(model, 0, [1], 1, eos=None)[1]
    result = model.generate(sensor_values=VALUES, sensor_mask=MASK, max_new_tokens=6, eos_token_id=first)
    assert result[0].tolist() == [1, first] + [0] * (result.shape[1] - 2)


def test_default_length_is_limited_by_positions():
    model = MODELS["coca"]
    result = model.generate(sensor_values=VALUES, sensor_mask=MASK, eos_token_id=None)
    assert result.shape == (4, POSITIONS + 1)
    fitting = model.generate(sensor_values=VALUES, sensor_mask=MASK, eos_token_id=None, max_new_tokens=POSITIONS)
    assert torch.equal(fitting, result)


def test_generation_config_is_honoured():
    model = MODELS["coca"]
    config = GenerationConfig(max_new_tokens=3, eos_token_id=None, bos_token_id=5)
    result = model.generate(sensor_values=VALUES, sensor_mask=MASK, generation_config=config)
    assert result.shape == (4, 4)
    assert (result[:, 0] == 5).all()
    details = model.generate(
        sensor_values=VALUES, sensor_mask=MASK, max_new_tokens=3, output_scores=True, return_dict_in_generate=True
    )
    assert details.scores[0].shape == (4, VOCAB)


def test_sensor_tower_runs_once():
    model = copy.deepcopy(MODELS["coca"])
    calls = []
    model.base_model.sensor_model.register_forward_hook(lambda *_: calls.append("tower"))
    model.decoder.cross_layers[0].cross_attn.k_proj.register_forward_hook(lambda *_: calls.append("keys"))
    model.generate(sensor_values=VALUES, sensor_mask=MASK, max_new_tokens=6, min_new_tokens=6, num_beams=3)
    assert calls == ["tower", "keys"]


def test_generation_in_training_mode_and_half_precision():
    model = copy.deepcopy(MODELS["cap"]).train()
    expected = MODELS["cap"].generate(sensor_values=VALUES, sensor_mask=MASK, max_new_tokens=4)
    assert torch.equal(model.generate(sensor_values=VALUES, sensor_mask=MASK, max_new_tokens=4), expected)
    half = copy.deepcopy(MODELS["cap"]).bfloat16()
    result = half.generate(sensor_values=VALUES, sensor_mask=MASK, max_new_tokens=4, min_new_tokens=4)
    assert result.shape == (4, 5)


def test_eager_attention_generates_same_captions():
    model = copy.deepcopy(MODELS["coca"])
    expected = model.generate(
        sensor_values=VALUES, sensor_mask=MASK, input_ids=IDS, attention_mask=ATTENTION, max_new_tokens=4
    )
    model.set_attn_implementation("eager")
    result = model.generate(
        sensor_values=VALUES, sensor_mask=MASK, input_ids=IDS, attention_mask=ATTENTION, max_new_tokens=4
    )
    assert torch.equal(result, expected)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_static_cache(attention):
    model = copy.deepcopy(MODELS["cap"])
    model.set_attn_implementation(attention)
    arguments = {"sensor_values": VALUES, "sensor_mask": MASK, "input_ids": IDS, "attention_mask": ATTENTION}
    expected = model.generate(**arguments, max_new_tokens=4)
    result = model.generate(**arguments, max_new_tokens=4, cache_implementation="static", disable_compile=True)
    assert torch.equal(result, expected)


@each_model
@pytest.mark.parametrize("chunk_size", [1, 5, 64])
def test_score_text_matches_pairwise_likelihood(model, chunk_size):
    scores = model.score_text(VALUES, MASK, IDS[:3], ATTENTION[:3], chunk_size=chunk_size)
    assert scores.shape == (4, 3)
    for row in range(4):
        for text in range(3):
            tokens = IDS[text, : int(ATTENTION[text].sum())].tolist()
            expected = log_likelihood(model, row, tokens, 1) / (len(tokens) - 1)
            assert scores[row, text].item() == pytest.approx(expected, abs=1e-4)
    left = model.score_text(VALUES, MASK, *to_left(IDS[:3], ATTENTION[:3], 2))
    close(left, scores)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m: m.generate(), ["sensor_values"]),
        (lambda m: m.generate(sensor_values=VALUES, max_new_tokens=POSITIONS + 1), ["22 tokens", "21"]),
        (lambda m: m.generate(sensor_values=VALUES, max_length=POSITIONS + 2), ["22 tokens", "21"]),
        (lambda m: m.generate(sensor_values=VALUES, input_ids=IDS, max_new_tokens=19), ["max_new_tokens"]),
        (lambda m: m.generate(sensor_values=VALUES, input_ids=IDS[:3]), ["(4, tokens)", "(3, 9)"]),
        (
            lambda m: m.generate(sensor_values=VALUES, input_ids=IDS, attention_mask=ATTENTION[:, 1:]),
            ["attention_mask"],
        ),
        (lambda m: m.generate(sensor_values=VALUES, input_ids=IDS, attention_mask=ATTENTION * 0), ["[0, 1, 2, 3]"]),
        (lambda m: m.generate(sensor_values=VALUES, max_new_token=3), ["max_new_token"]),
        (lambda m: m.score_text(VALUES, None, torch.tensor([[1, 3], [1, 0]]), torch.tensor([[1, 1], [1, 0]])), ["[1]"]),
        (lambda m: m.score_text(VALUES, None, IDS, ATTENTION, chunk_size=0), ["chunk_size", "0"]),
    ],
)
def test_invalid_arguments_raise(call, words):
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the message is checked below
        call(MODELS["coca"])
    for word in words:
        assert word in str(error.value), str(error.value)


@pytest.mark.parametrize("objective", ["clip", "siglip"])
def test_objectives_without_a_decoder_cannot_generate(objective):
    model = small_model(objective)
    assert not model.can_generate()
    assert not hasattr(model, "generate")
    with pytest.raises(ValueError, match=f"'{objective}' has no decoder"):
        SensorLMForConditionalGeneration(model.config)


def test_base_model_cannot_generate():
    assert not SensorLMModel(MODELS["cap"].config).can_generate()
    assert MODELS["cap"].can_generate()


def test_generation_requires_start_token():
    model = small_model("cap", bos_token_id=None)
    model.generation_config.bos_token_id = None
    with pytest.raises(ValueError, match="bos_token_id"):
        model.generate(sensor_values=VALUES)


def test_cached_steps_compute_one_token():
    """Counts the tokens that pass through a decoder layer (`benchmarks/` measure the time)."""
    model, new = small_model("coca"), 8
    tokens: list[int] = []
    model.decoder.layers[0].register_forward_hook(lambda module, args, result: tokens.append(args[0].shape[1]))
    counts = {}
    for use_cache in (True, False):
        tokens.clear()
        model.generate(sensor_values=VALUES, max_new_tokens=new, min_new_tokens=new, use_cache=use_cache)
        counts[use_cache] = list(tokens)
    assert counts[True] == [1] * new
    assert counts[False] == list(range(1, new + 1))
