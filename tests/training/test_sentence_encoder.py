"""Adding a pretrained sentence encoder to a CoCa model."""

from __future__ import annotations

import copy
import math
from pathlib import Path

import pytest
import torch
from training_cases import arguments, options, tiny_model
from transformers import BertModel, BertTokenizer

from sensorlm_hf.modeling import SensorLMForConditionalGeneration
from sensorlm_hf.processing import SensorLMProcessor
from sensorlm_hf.processing.captions import CaptionBuilder
from sensorlm_hf.training import add_sentence_encoder, align_sentence_encoder, pretrain, save_model
from sensorlm_hf.training.text_alignment import _Head
from sentence_encoders import tiny_encoder

SHORT = {"head_statements": 200, "head_steps": 3, "statements": 24, "progress": False}
"""Options of a short alignment."""


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def assisted(processor: SensorLMProcessor, encoder: Path) -> tuple[SensorLMForConditionalGeneration, SensorLMProcessor]:
    size = len(processor.tokenizer) + 14
    return add_sentence_encoder(tiny_model(processor), processor, encoder, vocab_size=size, max_tokens=12)


def test_rows_of_the_encoder_follow_its_tokens(assisted, encoder):
    model, processor = assisted
    table = BertModel.from_pretrained(encoder).get_input_embeddings().weight
    theirs = BertTokenizer.from_pretrained(encoder)
    mine = model.sensorlm.text_model.sentence_encoder.language_model
    rows = mine.get_input_embeddings().weight
    ids = processor.tokenizer.get_vocab()

    def row_of(*tokens: str) -> torch.Tensor:
        return table[theirs.convert_tokens_to_ids(list(tokens))].mean(dim=0)

    torch.testing.assert_close(rows[ids["Ġkettle"]], row_of("kettle"))
    torch.testing.assert_close(rows[ids["bell"]], row_of("##bell"))
    torch.testing.assert_close(rows[ids[","]], row_of(","))  # WordPiece never puts punctuation inside a word
    torch.testing.assert_close(rows[0], row_of("[PAD]"))
    torch.testing.assert_close(rows[1], row_of("[CLS]"))
    torch.testing.assert_close(rows[2], row_of("[SEP]"))
    assert len(rows) == len(processor.tokenizer)
    assert mine.config.max_position_embeddings == 12


def test_model_and_captions_are_unchanged(assisted, processor):
    model, shared = assisted
    before = tiny_model(processor).eval()
    text = ["Heart rate averaged 72.4 bpm.", "running"]
    old, new = processor(text=text), shared(text=text, captions=True)
    assert torch.equal(old["input_ids"], new["input_ids"])
    with torch.no_grad():
        cosines = torch.nn.functional.cosine_similarity(
            model.get_text_features(**new).pooler_output, before.get_text_features(**old).pooler_output
        )
    torch.testing.assert_close(cosines, torch.ones(2))


def test_training_with_statements(assisted, tmp_path):
    model, processor = assisted
    save_model(model, processor, tmp_path / "start")
    start = str(tmp_path / "start")
    run = options("simulated:12", init_from=start, statements=12, device_dropout=0.5, config_overrides={})
    metrics = pretrain(run, arguments(tmp_path / "run", max_steps=2, language_model_learning_rate=1e-4))
    assert metrics["options"]["statements"] == 12
    again = SensorLMForConditionalGeneration.from_pretrained(tmp_path / "run")
    assert again.config.text_config.has_sentence_encoder
    name = "sensorlm.text_model.sentence_encoder.language_model.encoder.layer.0.output.dense.weight"
    before, after = (dict(m.named_parameters())[name] for m in (model, again))
    assert not torch.equal(before, after)


def test_other_models_raise(processor, encoder, assisted):
    with pytest.raises(ValueError, match=r"objective 'coca' with its own text tower.*'siglip'"):
        add_sentence_encoder(tiny_model(processor, "siglip"), processor, encoder)
    with pytest.raises(ValueError, match="a language model already"):
        add_sentence_encoder(assisted[0], assisted[1], encoder)


def test_sizes_out_of_range_raise(processor, encoder):
    model = tiny_model(processor)
    with pytest.raises(ValueError, match="`vocab_size` must be at least"):
        add_sentence_encoder(model, processor, encoder, vocab_size=10)
    with pytest.raises(ValueError, match="`max_tokens` must be 1 to 512"):
        add_sentence_encoder(model, processor, encoder, max_tokens=513)


def test_alignment_trains_the_text_side_only(assisted, simulated):
    model, processor = copy.deepcopy(assisted[0]), assisted[1]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    captions = CaptionBuilder().batch(simulated)
    record = align_sentence_encoder(model, processor, simulated, captions, **SHORT, steps=3)
    assert record["days"] == len(simulated)
    assert len(simulated) < record["views"] <= 2 * len(simulated)
    assert math.isfinite(record["head_loss"])
    assert math.isfinite(record["final_loss"])
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed
    assert all(".sentence_encoder." in name or ".statement_logit_" in name for name in changed)
    for part in ("head.0.weight", "head.2.weight", "gate.weight", "language_model.embeddings.word_embeddings.weight"):
        assert f"sensorlm.text_model.sentence_encoder.{part}" in changed


def test_alignment_is_reproducible(assisted, simulated):
    states = []
    for _ in range(2):
        model = copy.deepcopy(assisted[0])
        align_sentence_encoder(model, assisted[1], simulated, ["running"] * 4, **SHORT, steps=2, seed=3)
        states.append(model.state_dict())
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_alignment_rejects_other_models_and_no_data(assisted, processor, simulated):
    with pytest.raises(ValueError, match="add one with `add_sentence_encoder`"):
        align_sentence_encoder(tiny_model(processor), processor, simulated, ["running"])
    with pytest.raises(ValueError, match="got 0 days and 1 captions"):
        align_sentence_encoder(*assisted, [], ["running"])
    with pytest.raises(ValueError, match="`steps` must be at least 1"):
        align_sentence_encoder(*assisted, simulated, ["running"], steps=0)
    with pytest.raises(ValueError, match="`head_steps` must be at least 1"):
        align_sentence_encoder(*assisted, simulated, ["running"], head_steps=0)


def test_head_is_the_same_in_the_coordinates_of_the_encoder():
    generator = torch.Generator().manual_seed(0)
    states = 3 + torch.randn(50, 8, generator=generator) * torch.linspace(0.1, 4, 8)
    sensor = torch.nn.functional.normalize(torch.randn(60, 6, generator=generator) + 1, dim=-1)
    head = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.GELU(), torch.nn.Linear(16, 6))
    torch.manual_seed(0)
    whitened = _Head(head, states, sensor)
    whitened.write(states)
    vectors = head(states)
    torch.testing.assert_close(torch.nn.functional.normalize(vectors, dim=-1), whitened(states), rtol=1e-4, atol=1e-5)
    assert vectors.norm(dim=-1).median().item() == pytest.approx(3.0, rel=1e-4)


def test_whitened_embeddings_of_days_have_equal_variances():
    generator = torch.Generator().manual_seed(0)
    sensor = torch.randn(4000, 4, generator=generator) * torch.tensor([4.0, 2.0, 1.5, 1.0])
    head = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.GELU(), torch.nn.Linear(3, 4))
    whitened = sensor @ _Head(head, torch.randn(9, 3, generator=generator), sensor).whitening
    spread = whitened.square().mean(dim=0)
    assert spread.max() / spread.min() < 1.6


def test_folder_of_the_encoder_is_not_saved(assisted, encoder, tmp_path):
    save_model(*assisted, tmp_path / "saved")
    assert str(encoder) not in (tmp_path / "saved" / "config.json").read_text()


def test_encoder_is_trained_at_the_rates_that_are_documented(assisted, simulated, monkeypatch):
    used = []
    optimizer = torch.optim.AdamW

    def record(groups, **options):
        used.append(optimizer(groups, **options))
        return used[-1]

    monkeypatch.setattr(torch.optim, "AdamW", record)
    options = {"learning_rate": 0.01, "language_model_learning_rate": 0.001}
    align_sentence_encoder(
        copy.deepcopy(assisted[0]), assisted[1], simulated, ["running"] * 4, **SHORT, **options, steps=1
    )
    peaks = [[group["initial_lr"] for group in made.param_groups] for made in used]
    assert [peak[:-1] for peak in peaks] == [[0.01], [0.01, 0.001]]  # the last is that of scale and bias
