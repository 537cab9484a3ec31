from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoProcessor, pipeline

from sensorlm_hf.modeling import SensorLMForConditionalGeneration, SensorLMModel, load_pretrained

TASK = "zero-shot-sensor-classification"
LABELS = ["running", "swimming", "a quiet evening"]


def by_label(answer: list[dict]) -> dict[str, float]:
    return {entry["label"]: entry["score"] for entry in answer}


@pytest.fixture(scope="module")
def pipe_of(folder_of):
    made = {}

    def make(objective):
        if objective not in made:
            made[objective] = pipeline(TASK, model=str(folder_of(objective)), device="cpu")
        return made[objective]

    return make


@pytest.fixture(scope="module")
def parts_of(folder_of):
    """Model and processor loaded without the pipeline, as a reference."""
    return lambda objective: (
        load_pretrained(folder_of(objective)).eval(),
        AutoProcessor.from_pretrained(folder_of(objective)),
    )


@pytest.mark.parametrize("objective", ["clip", "siglip", "coca"])
def test_scores_are_softmax_of_model_logits(pipe_of, parts_of, days, objective):
    model, processor = parts_of(objective)
    inputs = processor(sensor=days[0], text=[f"A day with {label}." for label in LABELS])
    with torch.no_grad():
        expected = model(**inputs).logits_per_sensor[0].double().softmax(-1)
    answer = pipe_of(objective)(days[0], candidate_labels=LABELS)
    scores = by_label(answer)
    assert [scores[label] for label in LABELS] == pytest.approx(expected.tolist(), abs=1e-5)
    assert sum(scores.values()) == pytest.approx(1, abs=1e-5)
    assert [entry["score"] for entry in answer] == sorted(scores.values(), reverse=True)


def test_siglip_multi_label_uses_trained_sigmoid(pipe_of, parts_of, days):
    model, processor = parts_of("siglip")
    inputs = processor(sensor=days[0], text=[f"A day with {label}." for label in LABELS])
    with torch.no_grad():
        expected = torch.sigmoid(model(**inputs).logits_per_sensor[0])
    scores = by_label(pipe_of("siglip")(days[0], LABELS, multi_label=True))
    assert [scores[label] for label in LABELS] == pytest.approx(expected.tolist(), rel=1e-4)


@pytest.mark.parametrize("objective", ["clip", "coca"])
def test_softmax_models_multi_label_uses_cosine(pipe_of, parts_of, days, objective):
    model, processor = parts_of(objective)
    inputs = processor(sensor=days[0], text=[f"A day with {label}." for label in LABELS])
    with torch.no_grad():
        output = model(**inputs)
    expected = (1 + torch.nn.functional.cosine_similarity(output.sensor_embeds, output.text_embeds)) / 2
    scores = by_label(pipe_of(objective)(days[0], LABELS, multi_label=True))
    assert [scores[label] for label in LABELS] == pytest.approx(expected.tolist(), abs=1e-5)


def test_none_label_wins_where_labels_are_improbable(pipe_of, parts_of, days):
    model, processor = parts_of("siglip")
    inputs = processor(sensor=days[0], text=[f"A day with {label}." for label in LABELS])
    with torch.no_grad():
        odds = model(**inputs).logits_per_sensor[0].double()
    scores = by_label(pipe_of("siglip")(days[0], LABELS, none_label="none of these"))
    expected = torch.cat([odds, odds.new_zeros(1)]).softmax(-1)
    assert [scores[label] for label in (*LABELS, "none of these")] == pytest.approx(expected.tolist(), rel=1e-4)
    for label, value in zip(LABELS, odds, strict=True):
        assert (scores[label] > scores["none of these"]) == (torch.sigmoid(value) > 0.5)
    independent = by_label(pipe_of("siglip")(days[0], LABELS, multi_label=True, none_label="none of these"))
    assert independent["none of these"] == pytest.approx(torch.sigmoid(-odds).prod().item(), rel=1e-4)


def test_none_label_in_timeline(pipe_of, days):
    answer = pipe_of("siglip")(days[0], LABELS, none_label="nothing", return_timeline=True)
    assert {entry["label"] for entry in answer["scores"]} == {*LABELS, "nothing"}
    assert all(set(step["scores"]) == {*LABELS, "nothing"} for step in answer["timeline"] if step["scores"])


def test_none_label_of_models_without_probabilities_raises(pipe_of, days):
    with pytest.raises(ValueError, match="probability of each label, which a clip model"):
        pipe_of("clip")(days[0], LABELS, none_label="none of these")
    with pytest.raises(ValueError, match="also one of the `candidate_labels`"):
        pipe_of("siglip")(days[0], LABELS, none_label=LABELS[0])


def test_cap_scores_by_text_likelihood(pipe_of, parts_of, days):
    model, processor = parts_of("cap")
    expected = []
    for label in LABELS:
        inputs = processor(sensor=days[0], text=f"A day with {label}.")
        with torch.no_grad():  # the training loss of one text is its mean negative log-likelihood
            expected.append(-float(model(**inputs).caption_loss))
    scores = by_label(pipe_of("cap")(days[0], LABELS))
    assert [scores[label] for label in LABELS] == pytest.approx(torch.tensor(expected).softmax(-1).tolist(), abs=1e-5)
    independent = by_label(pipe_of("cap")(days[0], LABELS, multi_label=True))
    assert [independent[label] for label in LABELS] == pytest.approx(np.exp(expected).tolist(), rel=1e-4)


@pytest.mark.parametrize("objective", ["clip", "siglip", "cap", "coca"])
def test_multi_label_scores_do_not_depend_on_other_labels(pipe_of, days, objective):
    all_labels = by_label(pipe_of(objective)(days[0], LABELS, multi_label=True))
    for label in LABELS:
        alone = pipe_of(objective)(days[0], [label], multi_label=True)
        assert alone[0]["score"] == pytest.approx(all_labels[label], rel=1e-4)
    assert all(0 < score <= 1 for score in all_labels.values())


def test_template_ensemble_averages_unit_embeddings(pipe_of, parts_of, days):
    model, processor = parts_of("clip")
    templates = ["A day with {}.", "The person did {}.", "{}"]
    with torch.no_grad():
        sensor = model(**processor(sensor=days[0])).sensor_embeds.double()[0]
        logits = []
        for label in LABELS:
            texts = processor(text=[template.replace("{}", label) for template in templates])
            mean = model(**texts).text_embeds.double().mean(0)
            logits.append(model.logit_scale.exp().double() * (sensor @ mean) / mean.norm())
    scores = by_label(pipe_of("clip")(days[0], LABELS, hypothesis_template=templates))
    assert [scores[label] for label in LABELS] == pytest.approx(torch.stack(logits).softmax(-1).tolist(), abs=1e-5)


def test_cap_base_model_loads_decoder_from_files(pipe_of, folder_of, days):
    folder = folder_of("cap")
    expected = by_label(pipe_of("cap")(days[0], LABELS))
    assert type(pipe_of("cap").model) is SensorLMForConditionalGeneration
    model = AutoModel.from_pretrained(folder, attn_implementation="eager")
    assert type(model) is SensorLMModel
    pipe = pipeline(TASK, model=model)
    assert pipe.model.sensorlm is model
    assert pipe.model.decoder.layers[0].self_attn.config._attn_implementation == "eager"
    assert by_label(pipe(days[0], LABELS)) == pytest.approx(expected, abs=1e-5)
    # The given tower is used, even if its weights differ from the files, and keeps its mode.
    with torch.no_grad():
        model.sensor_model.post_layernorm.weight.mul_(3)
    changed = by_label(pipe(days[0], LABELS))
    assert changed != pytest.approx(expected, abs=1e-5)
    model.train()
    again = pipeline(TASK, model=model)
    assert by_label(again(days[0], LABELS)) == pytest.approx(changed, abs=1e-5)
    assert model.training
    assert again.model.training


def test_cap_files_without_decoder_raise(folder_of, tmp_path):
    processor = AutoProcessor.from_pretrained(folder_of("cap"))
    model = AutoModel.from_pretrained(folder_of("cap"))
    model.save_pretrained(tmp_path / "base")
    with pytest.raises(ValueError, match=r"base.* without its decoder"):
        pipeline(TASK, model=AutoModel.from_pretrained(tmp_path / "base"), processor=processor)
    made = SensorLMModel(model.config)
    made.config.name_or_path = made.name_or_path = ""
    with pytest.raises(ValueError, match=r"needs the model with its decoder.*give it as `model`"):
        pipeline(TASK, model=made, processor=processor)


def test_cap_model_with_adapter(folder_of, days, tmp_path):
    peft = pytest.importorskip("peft")
    processor = AutoProcessor.from_pretrained(folder_of("cap"))
    torch.manual_seed(1)
    config = peft.LoraConfig(target_modules=["fc1"], init_lora_weights=False)
    adapted = peft.get_peft_model(load_pretrained(folder_of("cap")), config).eval()
    adapted.save_pretrained(tmp_path / "adapter")
    expected = by_label(pipeline(TASK, model=adapted, processor=processor)(days[0], LABELS))
    loaded = SensorLMForConditionalGeneration.from_pretrained(tmp_path / "adapter")
    assert by_label(pipeline(TASK, model=loaded)(days[0], LABELS)) == pytest.approx(expected, abs=1e-5)
    # The decoder is loaded with its part of the adapter, and the given towers are kept as they are.
    towers = AutoModel.from_pretrained(tmp_path / "adapter")
    pipe = pipeline(TASK, model=towers, processor=processor)
    assert pipe.model.sensorlm is towers
    assert by_label(pipe(days[0], LABELS)) == pytest.approx(expected, abs=1e-5)
    # An adapter created for the base model does not affect the decoder.
    base = peft.get_peft_model(AutoModel.from_pretrained(folder_of("cap")), config).eval()
    pipe = pipeline(TASK, model=base, processor=processor)
    assert pipe.model.sensorlm is base.get_base_model()
    assert len(pipe(days[0], LABELS)) == 3


def test_cap_ensembles_average_log_likelihoods(pipe_of, days):
    single = [
        by_label(pipe_of("cap")(days[0], LABELS, multi_label=True, hypothesis_template=t)) for t in ("{}", "A {}.")
    ]
    both = by_label(pipe_of("cap")(days[0], LABELS, multi_label=True, hypothesis_template=["{}", "A {}."]))
    for label in LABELS:
        assert both[label] == pytest.approx(np.sqrt(single[0][label] * single[1][label]), rel=1e-4)


def test_labels_with_custom_phrases(pipe_of, days):
    pipe = pipe_of("clip")
    plain = pipe(days[0], ["running", "swimming"])
    named = pipe(days[0], {"moving on land": "running", "moving in water": ["swimming"]})
    assert [entry["score"] for entry in named] == pytest.approx([entry["score"] for entry in plain])
    assert {entry["label"] for entry in named} == {"moving on land", "moving in water"}
    grouped = pipe(days[0], {"sport": ["running", "swimming"], "rest": "a quiet evening"}, hypothesis_template="{}")
    as_templates = pipe(days[0], {"sport": "ing", "rest": "x"}, hypothesis_template=["runn{}", "swimm{}"])
    assert set(by_label(grouped)) == {"sport", "rest"}
    assert by_label(as_templates)["sport"] != pytest.approx(by_label(grouped)["sport"])


@pytest.mark.parametrize("objective", ["clip", "coca"])
def test_labels_are_encoded_once(pipe_of, days, objective):
    pipe = pipe_of(objective)
    texts = []
    hook = pipe.model.text_model.register_forward_hook(
        lambda module, args, kwargs, output: texts.append(
            len(kwargs["input_ids"] if "input_ids" in kwargs else args[0])
        ),
        with_kwargs=True,
    )
    try:
        pipe(days, LABELS, batch_size=2)
        assert texts == [3]
        texts.clear()
        list(pipe((day for day in days), LABELS, hypothesis_template=["{}", "A {}."]))
        assert texts == [6]
        texts.clear()
        pipe(days[0], [f"label {number}" for number in range(100)])
        assert texts == [64, 36]
    finally:
        hook.remove()


def test_chunked_labels_match_single_chunk(pipe_of, days, monkeypatch):
    labels = [f"label {number}" for number in range(20)]
    whole = by_label(pipe_of("clip")(days[0], labels))
    module = type(pipe_of("clip")).__module__
    monkeypatch.setattr(f"{module}.TEXTS_AT_ONCE", 3)
    assert by_label(pipe_of("clip")(days[0], labels)) == pytest.approx(whole, abs=1e-5)


@pytest.mark.parametrize("objective", ["clip", "siglip", "cap", "coca"])
@pytest.mark.parametrize("batch_size", [1, 2, 8])
def test_batched_scores_match_single_days(pipe_of, days, objective, batch_size):
    pipe = pipe_of(objective)
    alone = [by_label(pipe(day, LABELS)) for day in days]
    together = pipe(days, LABELS, batch_size=batch_size)
    assert len(together) == len(days)
    for expected, answer in zip(alone, together, strict=True):
        assert by_label(answer) == pytest.approx(expected, abs=1e-5)
    assert len({round(next(iter(answer.values())), 6) for answer in alone}) > 1  # the days give different scores


@pytest.mark.parametrize(
    "labels", ["running, swimming,a quiet evening", ("running", "swimming", "a quiet evening")], ids=["string", "tuple"]
)
def test_labels_as_comma_separated_string(pipe_of, days, labels):
    pipe = pipe_of("clip")
    assert pipe(days[0], labels) == pipe(days[0], LABELS)


def test_call_options_override_constructor_options(folder_of, days):
    pipe = pipeline(TASK, model=str(folder_of("clip")), candidate_labels=LABELS, top_k=1, hypothesis_template="{}")
    assert len(pipe(days[0])) == 1
    assert len(pipe(days[0], top_k=2)) == 2
    assert pipe(days[0], ["x", "y"])[0]["label"] in ("x", "y")
    assert pipe(days[0]) != pipe(days[0], hypothesis_template="A day with {}.")


def test_top_k(pipe_of, days):
    pipe = pipe_of("clip")
    everything = pipe(days[0], LABELS)
    assert pipe(days[0], LABELS, top_k=2) == everything[:2]
    assert pipe(days[0], LABELS, top_k=99) == everything


def test_ties_keep_label_order(pipe_of):
    outputs = {"scores": torch.tensor([[0.25, 0.5, 0.25]])}
    answer = pipe_of("clip").postprocess(outputs, labels=["b", "a", "c"])
    assert [entry["label"] for entry in answer] == ["a", "b", "c"]


def test_braces_in_labels_are_literal(pipe_of, days):
    answer = pipe_of("clip")(days[0], ["{0}", "{} and {name}"], hypothesis_template="A {} {day}.")
    assert {entry["label"] for entry in answer} == {"{0}", "{} and {name}"}


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({}, ValueError, "Give `candidate_labels`"),
        ({"candidate_labels": []}, ValueError, "is empty"),
        ({"candidate_labels": {}}, ValueError, "is empty"),
        ({"candidate_labels": ""}, ValueError, r"candidate_labels\[0\] is empty"),
        ({"candidate_labels": "a,,b"}, ValueError, r"candidate_labels\[1\] is empty"),
        ({"candidate_labels": ["a", "  "]}, ValueError, r"candidate_labels\[1\] is empty"),
        ({"candidate_labels": ["a", "b", "A "]}, ValueError, r"\[2\] 'A ' repeats candidate_labels\[0\]"),
        ({"candidate_labels": ["a", 5]}, TypeError, r"candidate_labels\[1\] must be a string, got int"),
        ({"candidate_labels": ["a", None]}, TypeError, r"candidate_labels\[1\] must be a string"),
        ({"candidate_labels": 5}, TypeError, "got int"),
        ({"candidate_labels": b"ab"}, TypeError, "got bytes"),
        ({"candidate_labels": {"a": []}}, ValueError, "non-empty list of phrases"),
        ({"candidate_labels": {"a": ["b", ""]}}, ValueError, "a phrase of .* is empty"),
        ({"candidate_labels": "a,b", "hypothesis_template": "A day."}, ValueError, r"lacks the placeholder \{\}"),
        (
            {"candidate_labels": "a,b", "hypothesis_template": ["{}", "no"]},
            ValueError,
            r"hypothesis_template\[1\] 'no'",
        ),
        ({"candidate_labels": "a,b", "hypothesis_template": []}, ValueError, "empty list"),
        ({"candidate_labels": "a,b", "hypothesis_template": ""}, ValueError, "is empty"),
        ({"candidate_labels": "a,b", "hypothesis_template": 3}, TypeError, "got int"),
        ({"candidate_labels": "a,b", "hypothesis_template": [3]}, TypeError, r"hypothesis_template\[0\]"),
        ({"candidate_labels": "a,b", "top_k": 0}, ValueError, "at least 1.*got 0"),
        ({"candidate_labels": "a,b", "top_k": True}, ValueError, "got True"),
        ({"candidate_labels": "a,b", "top_k": 1.5}, ValueError, r"got 1\.5"),
        ({"candidate_labels": "a,b", "multi_label": "yes"}, TypeError, "got 'yes'"),
        ({"candidate_labels": ["fine", "1" * 60]}, ValueError, "has [67][0-9] tokens, but the model reads at most 48"),
        ({"candidate_labels": "a,b", "batch_size": 0}, ValueError, "`batch_size`.*got 0"),
        ({"candidate_labels": "a,b", "num_workers": -1}, ValueError, "`num_workers`.*got -1"),
        ({"candidate_labels": "a,b", "labels": "c"}, TypeError, "unexpected keyword argument 'labels'"),
    ],
)
def test_invalid_options_raise(pipe_of, days, options, kind, message):
    with pytest.raises(kind, match=message):
        pipe_of("clip")(days[0], **options)


def test_a_label_is_as_probable_as_its_phrases_on_average(folder_of, days):
    classify = pipeline("zero-shot-sensor-classification", model=str(folder_of("clip")))
    phrases = ["running", "swimming", "cycling"]
    alone = classify(days[0], candidate_labels=phrases)
    odds = {answer["label"]: answer["score"] for answer in alone}
    grouped = classify(days[0], candidate_labels={"sport": phrases[:2], "cycling": phrases[2:]})
    scores = {answer["label"]: answer["score"] for answer in grouped}
    mean = (odds["running"] + odds["swimming"]) / 2
    assert scores["sport"] == pytest.approx(mean / (mean + odds["cycling"]), abs=1e-5)
    # Synonyms of one label do not make it more probable.
    again = classify(
        days[0], candidate_labels={"running": ["running"] * 2, "swimming": "swimming", "cycling": "cycling"}
    )
    assert {a["label"]: a["score"] for a in again} == pytest.approx(odds, abs=1e-5)
