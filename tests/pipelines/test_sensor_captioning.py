from __future__ import annotations

import pytest
import torch
from transformers import AutoModel, AutoModelForMultimodalLM, AutoProcessor, pipeline, set_seed

from sensorlm_hf.activities import ACTIVITIES
from sensorlm_hf.data.simulate import simulate_days
from sensorlm_hf.modeling import SensorLMForConditionalGeneration, SensorLMModel
from sensorlm_hf.pipelines.sensor_captioning import restore_case
from sensorlm_hf.processing.captions import CAPTION_KEYS, CaptionBuilder
from sensorlm_hf.schema import get_schema

TASK = "sensor-captioning"


@pytest.fixture(scope="module", params=["coca", "cap"])
def objective(request):
    return request.param


@pytest.fixture(scope="module")
def pipe(folder_of, objective):
    return pipeline(TASK, model=str(folder_of(objective)), device="cpu")


@pytest.fixture(scope="module")
def oracle(folder_of, objective):
    """Captions generated directly with the model and processor."""
    model = AutoModelForMultimodalLM.from_pretrained(folder_of(objective)).eval()
    processor = AutoProcessor.from_pretrained(folder_of(objective))

    def write(day, prompt=None, **options):
        inputs = processor(sensor=day)
        if prompt is not None:
            inputs["input_ids"] = processor.tokenizer(prompt, return_tensors="pt")["input_ids"][:, :-1]  # without <eos>
        tokens = model.generate(**inputs, **options)
        return [restore_case(processor.tokenizer.decode(row, skip_special_tokens=True).strip()) for row in tokens]

    return write


def texts(answer):
    return [entry["generated_text"] for entry in answer]


def test_caption_matches_model_generate(pipe, oracle, days):
    answer = pipe(days[0], max_new_tokens=8)
    assert [set(entry) for entry in answer] == [{"generated_text"}]
    assert texts(answer) == oracle(days[0], max_new_tokens=8)


def test_num_return_sequences_with_beams(pipe, oracle, days):
    options = {"num_beams": 3, "num_return_sequences": 2, "max_new_tokens": 6}
    answer = texts(pipe(days[0], **options))
    assert len(answer) == 2
    assert answer == oracle(days[0], **options)


def test_every_text_starts_with_prompt(pipe, oracle, days):
    answer = pipe(days, prompt="A day with ", max_new_tokens=5, batch_size=2)
    assert [texts(one) for one in answer] == [oracle(day, "a day with", max_new_tokens=5) for day in days]
    assert all(text.lower().startswith("a day with") for one in answer for text in texts(one))


@pytest.mark.parametrize("batch_size", [2, 8])
def test_batched_captions_match_single_days(pipe, days, batch_size):
    options = {"num_beams": 2, "num_return_sequences": 2, "max_new_tokens": 6}
    assert pipe(days, batch_size=batch_size, **options) == [pipe(day, **options) for day in days]


def test_length_limits_are_respected(pipe, days):
    short, long = pipe(days[0], max_new_tokens=2), pipe(days[0], min_new_tokens=12, max_new_tokens=12)
    tokens = [len(pipe.tokenizer(texts(answer)[0])["input_ids"]) for answer in (short, long)]
    assert tokens[0] < tokens[1]


def test_sampling_is_reproducible_with_seed(pipe, days):
    options = {"do_sample": True, "max_new_tokens": 10, "generate_kwargs": {"temperature": 2.0}}
    set_seed(3)
    first = pipe(days[0], **options)
    set_seed(3)
    assert pipe(days[0], **options) == first
    set_seed(4)
    assert pipe(days[0], **options) != first


def test_return_dict_in_generate(pipe, days):
    options = {"max_new_tokens": 4}
    whole = pipe(days[0], **options, generate_kwargs={"return_dict_in_generate": True})
    assert whole == pipe(days[0], **options)


def test_special_tokens_are_removed(pipe):
    rows = torch.tensor([[[1, 70, 71, 2, 0, 0]]])
    plain = pipe.tokenizer.decode([70, 71])
    assert pipe.postprocess({"tokens": rows}, restores_case=False) == [{"generated_text": plain.strip()}]


@pytest.mark.parametrize("schema", ["sensorlm-26", "sensorlm-34"])
@pytest.mark.parametrize("key", CAPTION_KEYS)
def test_case_of_captions_is_restored(schema, key):
    for caption in CaptionBuilder(schema, key=key, opening=True).batch(simulate_days(12, seed=9, schema=schema)):
        assert restore_case(caption.lower()) == caption
        assert restore_case(caption) == caption


def test_every_label_has_its_case_restored():
    names = {channel.label for schema in ("sensorlm-26", "sensorlm-34") for channel in get_schema(schema)}
    for name in names | {activity.name for activity in ACTIVITIES}:
        assert restore_case(f"a day with {name.lower()}.") == f"A day with {name}."


def test_case_is_restored_unless_disabled(pipe, days):
    shown, raw = (texts(pipe(days[0], max_new_tokens=8, restore_case=flag))[0] for flag in (True, False))
    assert raw == raw.lower()
    assert shown == restore_case(raw)
    assert raw == shown.lower()
    with pytest.raises(TypeError, match="`restore_case` must be True or False, got 1"):
        pipe(days[0], restore_case=1)


def test_constructor_options(folder_of, pipe, objective, days):
    made = pipeline(TASK, model=str(folder_of(objective)), max_new_tokens=3, prompt="a day")
    assert made(days[0]) == pipe(days[0], prompt="a day", max_new_tokens=3)
    assert made(days[0], max_new_tokens=6) == pipe(days[0], prompt="a day", max_new_tokens=6)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"prompt": "  "}, ValueError, "`prompt` is empty"),
        ({"prompt": ["a", "b"]}, TypeError, "one string for all days, got list"),
        ({"prompt": "1" * 80}, ValueError, "positions for"),
        ({"max_new_tokens": 0}, ValueError, "`max_new_tokens` must be .* got 0"),
        ({"max_new_tokens": 10_000}, ValueError, "positions for"),
        ({"min_new_tokens": -1}, ValueError, "`min_new_tokens`"),
        ({"num_beams": 1.5}, ValueError, "`num_beams`"),
        ({"num_return_sequences": True}, ValueError, "`num_return_sequences`"),
        ({"generate_kwargs": [1]}, TypeError, "dict of options, got list"),
        ({"max_new_tokens": 3, "generate_kwargs": {"max_new_tokens": 4}}, ValueError, "max_new_tokens given both"),
        ({"generate_kwargs": {"input_ids": 1}}, ValueError, "must not contain input_ids"),
        ({"beams": 3}, TypeError, "unexpected keyword argument 'beams'"),
    ],
)
def test_invalid_options_raise(pipe, days, options, kind, message):
    with pytest.raises(kind, match=message):
        pipe(days[0], **options)


def test_model_name_loads_model_with_decoder(pipe):
    assert type(pipe.model) is SensorLMForConditionalGeneration


def test_objective_without_decoder_raises(folder_of):
    with pytest.raises(ValueError, match=r"[Oo]bjective 'siglip' .*no .*decoder.*'cap' or 'coca'"):
        pipeline(TASK, model=str(folder_of("siglip")))
    model = AutoModel.from_pretrained(folder_of("siglip"))
    with pytest.raises(ValueError, match=r"[Oo]bjective 'siglip' .*no .*decoder.*'cap' or 'coca'"):
        pipeline(TASK, model=model)


def test_base_model_raises_with_class_to_use(folder_of, objective):
    model = AutoModel.from_pretrained(folder_of(objective))
    assert type(model) is SensorLMModel
    with pytest.raises(ValueError, match=r"SensorLMModel has no text decoder.*SensorLMForConditionalGeneration"):
        pipeline(TASK, model=model)
