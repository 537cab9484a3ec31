from __future__ import annotations

import ast
import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from datasets import Array2D, Dataset, Features, Value
from transformers import AutoModel, AutoModelForMultimodalLM, AutoProcessor, BertConfig, BertModel, pipeline
from transformers.pipelines import PIPELINE_REGISTRY
from transformers.pipelines.pt_utils import KeyDataset

import sensorlm_hf.pipelines as pipelines_package
from sensorlm_hf.days import SensorDay
from sensorlm_hf.hub import PIPELINES
from sensorlm_hf.modeling import SensorLMForConditionalGeneration, SensorLMModel
from sensorlm_hf.pipelines import DEFAULT_MODEL, register_pipelines
from sensorlm_hf.pipelines.sensor_pipeline_items import ResultStream
from sensorlm_hf.processing import SensorLMFeatureExtractor
from sensorlm_hf.schema import SensorSchema

ZERO_SHOT, CAPTION, EMBED = "zero-shot-sensor-classification", "sensor-captioning", "sensor-feature-extraction"
FILES = sorted(path for path in Path(pipelines_package.__file__).parent.glob("*.py") if path.name != "__init__.py")
PACKAGE = Path(pipelines_package.__file__).parents[1]


@pytest.fixture(scope="module")
def embed(folder_of):
    return pipeline(EMBED, model=str(folder_of("coca")), device="cpu")


@pytest.fixture(scope="module")
def expected(embed, days):
    """The embedding of each day, computed separately."""
    return np.stack([embed(day) for day in days])


@pytest.fixture(scope="module")
def rows(days):
    """Days as a dataset in the package's format."""
    features = Features(
        {"values": Array2D((1440, 26), "float32"), "subject_id": Value("string"), "schema": Value("string")}
    )
    columns = {
        "values": [day.values for day in days],
        "subject_id": [day.subject_id for day in days],
        "schema": ["sensorlm-26"] * len(days),
    }
    return Dataset.from_dict(columns, features=features)


def same(results, expected) -> bool:
    return np.allclose(np.stack(list(results)), expected, atol=1e-5)


# --- inputs


def test_array_of_days_gives_one_result_per_day(embed, days, expected):
    array = np.stack([day.values for day in days])
    for inputs in (array, torch.from_numpy(array), list(array)):
        answer = embed(inputs, batch_size=2)
        assert isinstance(answer, list)
        assert len(answer) == len(days)
        assert same(answer, expected)


def test_array_of_one_day_gives_list_of_one(embed, days, expected):
    assert len(embed(days[0].values[None])) == 1
    assert embed(days[0].values).shape == expected[0].shape


def test_no_days_give_no_results(embed):
    assert embed([]) == []
    assert embed(np.zeros((0, 1440, 26))) == []
    assert list(embed(iter([]))) == []


@pytest.mark.parametrize("batch_size", [1, 3, 32])
def test_nested_items_keep_their_structure(embed, days, batch_size):
    inputs = [days[0], np.stack([days[1].values, days[2].values]), [days[3]], {"values": days[4].values}]
    answer = embed(inputs, batch_size=batch_size)
    assert [isinstance(one, list) and len(one) for one in answer] == [False, 2, 1, False]
    for one, item in zip(answer, inputs, strict=True):
        assert np.allclose(np.asarray(one), np.asarray(embed(item)), atol=1e-5)


def test_dataset_and_columns_are_streamed(embed, rows, expected):
    for inputs in (
        rows,
        rows.with_format("numpy"),
        rows.with_format("torch"),
        rows["values"],
        KeyDataset(rows, "values"),
    ):
        answer = embed(inputs, batch_size=2)
        assert isinstance(answer, ResultStream)
        assert len(answer) == len(rows)
        assert same(answer, expected)
        assert same(answer, expected)  # it can be iterated again
    assert same([embed(row) for row in rows], expected)


def test_streaming_dataset(embed, rows, expected):
    answer = embed(rows.to_iterable_dataset(), batch_size=2)
    with pytest.raises(TypeError, match="not known"):
        len(answer)
    assert same(answer, expected)


def test_data_loader_batches_are_lists_of_days(embed, rows, expected):
    class Stream(torch.utils.data.IterableDataset):
        def __iter__(self):
            return iter(rows.with_format("torch"))

    for data in (rows.with_format("torch"), Stream()):
        loader = torch.utils.data.DataLoader(data, batch_size=2)
        answer = list(embed(loader, batch_size=4))
        assert [len(one) for one in answer] == [2, 2, 1]
        assert same([vector for one in answer for vector in one], expected)


def test_batch_of_rows_is_split_into_days(embed, rows, expected):
    assert same(embed(rows.with_format("numpy")[:3]), expected[:3])


@pytest.mark.parametrize("batch_size", [1, 2, 32])
def test_generator_is_read_lazily(embed, days, expected, batch_size):
    taken = []

    def source():
        for number, day in enumerate(days):
            taken.append(number)
            yield day

    answer = iter(embed(source(), batch_size=batch_size))
    assert taken == []
    first = next(answer)
    assert len(taken) == min(batch_size, len(days))
    assert same([first, *answer], expected)


@pytest.mark.parametrize("num_workers", [1, 2])
def test_results_do_not_depend_on_num_workers(embed, days, rows, expected, num_workers):
    assert same(embed(days, num_workers=num_workers, batch_size=2), expected)
    assert same(embed(rows, num_workers=num_workers, batch_size=2), expected)
    assert same(embed((day for day in days), num_workers=num_workers, batch_size=2), expected)


def test_table_columns_are_matched_by_name(embed, days, expected):
    keys = list(days[0].schema.keys)
    table = pd.DataFrame(days[0].values, columns=keys)
    assert same([embed(table), embed(table[keys[::-1]])], expected[[0, 0]])


def test_files_and_folders_are_read(embed, days, expected, tmp_path):
    keys = list(days[0].schema.keys)
    np.save(tmp_path / "one.npy", days[0].values)
    np.save(tmp_path / "two.npy", np.stack([days[0].values, days[1].values]))
    pd.DataFrame(days[0].values, columns=keys).to_csv(tmp_path / "one.csv", index=False)
    pd.DataFrame(days[0].values, columns=keys).to_parquet(tmp_path / "one.parquet")
    assert same([embed(str(tmp_path / name)) for name in ("one.npy", "one.csv", "one.parquet")], expected[[0, 0, 0]])
    assert same(embed(tmp_path / "two.npy"), expected[:2])
    mixed = embed([tmp_path / "one.npy", tmp_path / "two.npy", days[2]], batch_size=3)
    assert same([mixed[0], *mixed[1], mixed[2]], expected[[0, 0, 1, 2]])
    folder = tmp_path / "export"
    folder.mkdir()
    shutil.copy(tmp_path / "one.npy", folder)
    assert same(embed(folder), expected[:1])


def test_real_recordings_are_read(embed, real_data):
    fitbit = embed(real_data / "fitbit_takeout", timezone="Australia/Melbourne", batch_size=4)
    assert len(fitbit) > 1
    mmash = embed(real_data / "mmash" / "user_1")
    assert isinstance(mmash, list)
    for vector in [*fitbit, *mmash]:
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_errors_name_the_item_in_lists_and_streams(embed, days):
    broken = [days[0], days[1].values[:, :5], days[2]]
    for inputs in (broken, (item for item in broken)):
        with pytest.raises(ValueError, match=r"item 1: .*26"):
            list(embed(inputs, batch_size=3))
    with pytest.raises(TypeError, match="item 1: a day is"):
        embed([days[0], 5])
    with pytest.raises(TypeError, match=r"takes a SensorDay.*got None"):
        embed(None)
    with pytest.raises(FileNotFoundError, match=r"'nowhere\.csv' does not exist"):
        embed("nowhere.csv")


# --- execution


def test_bfloat16_is_close_to_float32(folder_of, days, expected):
    half = pipeline(EMBED, model=str(folder_of("coca")), dtype=torch.bfloat16, device="cpu")
    assert half.model.dtype == torch.bfloat16
    answer = np.stack(half(days, batch_size=2))
    assert answer.dtype == np.float32
    assert np.all((answer * expected).sum(1) > 0.98)
    scores = pipeline(ZERO_SHOT, model=str(folder_of("coca")), dtype="bfloat16")(days[0], ["running", "rest"])
    assert sum(entry["score"] for entry in scores) == pytest.approx(1, abs=1e-5)
    text = pipeline(CAPTION, model=str(folder_of("coca")), dtype=torch.bfloat16)(days[0], max_new_tokens=3)
    assert isinstance(text[0]["generated_text"], str)


def test_model_mode_is_preserved(folder_of, days, expected):
    model = AutoModelForMultimodalLM.from_pretrained(folder_of("coca"), attn_implementation="eager")
    for part in (model.sensorlm.sensor_model.config, model.sensorlm.text_model.config):
        part.attention_dropout = 0.5
    for module in model.modules():
        if hasattr(module, "dropout") and isinstance(module.dropout, float):
            module.dropout = 0.5
    model.train().decoder.eval()
    pipe = pipeline(EMBED, model=model, processor=AutoProcessor.from_pretrained(folder_of("coca")))
    assert same(pipe(days), expected)
    assert model.training
    assert model.sensorlm.sensor_model.training
    assert not model.decoder.training
    with pytest.raises(ValueError, match="must span a multiple of 60 minutes"):
        pipe.forward({"sensor_values": torch.zeros(1, 7, 26)})
    assert model.training


def test_preprocess_forward_and_postprocess_can_be_called_separately(embed, days, expected):
    inputs = embed.preprocess(days[0])
    assert inputs["sensor_values"].shape == (1, 1440, 26)
    assert same([embed.postprocess(embed.forward(inputs))], expected[:1])
    with pytest.raises(ValueError, match="`preprocess` takes one day"):
        embed.preprocess(np.stack([days[0].values] * 2))


# --- components


@pytest.mark.parametrize(
    ("task", "auto_class"),
    [
        (ZERO_SHOT, AutoModel),
        (ZERO_SHOT, AutoModelForMultimodalLM),
        (CAPTION, AutoModelForMultimodalLM),
        (EMBED, AutoModel),
        (EMBED, AutoModelForMultimodalLM),
    ],
)
def test_components_can_be_passed_as_objects(folder_of, task, auto_class, days):
    folder = folder_of("coca")
    model, processor = auto_class.from_pretrained(folder), AutoProcessor.from_pretrained(folder)
    options = {ZERO_SHOT: {"candidate_labels": "a,b"}, CAPTION: {"max_new_tokens": 3}, EMBED: {}}[task]
    answers = [
        pipeline(task, model=model, processor=processor)(days[0], **options),
        pipeline(task, model=model, feature_extractor=processor.feature_extractor, tokenizer=processor.tokenizer)(
            days[0], **options
        ),
        pipeline(task, model=model)(days[0], **options),  # components are loaded from the model's folder
        pipeline(task, model=str(folder))(days[0], **options),
    ]
    for answer in answers[1:]:
        assert np.array_equal(answer, answers[0])


def test_missing_components_raise(folder_of, tmp_path):
    AutoModel.from_pretrained(folder_of("coca")).save_pretrained(tmp_path / "bare")
    with pytest.raises(ValueError, match=r"needs a feature extractor: give `feature_extractor=` or `processor=`.*bare"):
        pipeline(EMBED, model=str(tmp_path / "bare"))
    SensorLMFeatureExtractor().save_pretrained(tmp_path / "bare")
    pipeline(EMBED, model=str(tmp_path / "bare"))
    with pytest.raises(ValueError, match="needs a tokenizer"):
        pipeline(ZERO_SHOT, model=str(tmp_path / "bare"))


def test_other_model_types_raise(folder_of):
    bert = BertModel(BertConfig(vocab_size=10, hidden_size=8, num_hidden_layers=1, num_attention_heads=1))
    processor = AutoProcessor.from_pretrained(folder_of("coca"))
    with pytest.raises(TypeError, match="needs a SensorLMModel, but BertModel has no sensor tower"):
        pipeline(EMBED, model=bert, processor=processor)


def test_feature_extractor_with_fewer_channels_masks_the_others(folder_of, days, embed):
    keys = ("steps", "HR", "wrist_temperatures")
    few = SensorSchema("watch", tuple(days[0].schema[key] for key in keys))
    day = SensorDay(np.stack([days[0].channel(key) for key in keys], axis=1), days[0].start, "p", few)
    pipe = pipeline(EMBED, model=str(folder_of("coca")), feature_extractor=SensorLMFeatureExtractor(few))
    with pytest.warns(UserWarning, match="Channels absent"):
        expected = embed(day)
    assert np.array_equal(pipe(day), expected)
    assert np.array_equal(pipe(day.values), expected)


def test_feature_extractor_with_other_channels_raises(folder_of):
    with pytest.raises(ValueError, match="are not those of the model"):
        pipeline(EMBED, model=str(folder_of("coca")), feature_extractor=SensorLMFeatureExtractor("sensorlm-34"))


def test_adapter_folder_loads_base_model(folder_of, days, expected, tmp_path):
    peft = pytest.importorskip("peft")
    model = AutoModel.from_pretrained(folder_of("coca"))
    torch.manual_seed(1)
    config = peft.LoraConfig(target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    adapted = peft.get_peft_model(model, config).eval()
    adapted.save_pretrained(tmp_path / "adapter")
    assert not (tmp_path / "adapter" / "processor_config.json").exists()
    from_folder = pipeline(EMBED, model=str(tmp_path / "adapter"))(days)
    assert not same(from_folder, expected)
    assert same(pipeline(EMBED, model=adapted)(days), from_folder)


def test_adapter_with_decoder_supports_every_task(folder_of, days, expected, tmp_path):
    peft = pytest.importorskip("peft")
    model = AutoModelForMultimodalLM.from_pretrained(folder_of("coca"))
    torch.manual_seed(1)
    config = peft.LoraConfig(target_modules=r"(sensorlm\..*_model|decoder)\..*\.fc1", init_lora_weights=False)
    adapted = peft.get_peft_model(model, config).eval()
    adapted.save_pretrained(tmp_path / "adapter")
    folder = str(tmp_path / "adapter")
    vectors = pipeline(EMBED, model=folder)(days)
    assert not same(vectors, expected)
    assert same(pipeline(EMBED, model=adapted)(days), vectors)
    scores = pipeline(ZERO_SHOT, model=folder)(days[0], ["running", "rest"])
    again = pipeline(ZERO_SHOT, model=adapted)(days[0], ["running", "rest"])
    assert [entry["score"] for entry in again] == pytest.approx([entry["score"] for entry in scores], abs=1e-6)
    text = pipeline(CAPTION, model=folder)(days[0], max_new_tokens=5)
    assert pipeline(CAPTION, model=adapted)(days[0], max_new_tokens=5) == text


# --- registration, default, saving


@pytest.mark.parametrize("task", [ZERO_SHOT, CAPTION, EMBED])
def test_tasks_are_registered_with_packaged_models(task, caplog):
    entry = PIPELINE_REGISTRY.check_task(task)[1]
    assert entry["default"] == {"model": DEFAULT_MODEL}
    assert Path(DEFAULT_MODEL[0]).is_absolute()
    assert Path(DEFAULT_MODEL[0]) == PACKAGE / "checkpoints" / "sensorlm-coca"
    register_pipelines()
    assert PIPELINE_REGISTRY.check_task(task)[1] is entry
    assert not caplog.records


def test_default_model_is_used_with_warning(folder_of, days, expected, monkeypatch, caplog):
    folder = str(folder_of("coca"))
    monkeypatch.setitem(PIPELINE_REGISTRY.supported_tasks[EMBED], "default", {"model": (folder, None)})
    monkeypatch.setattr("sensorlm_hf.pipelines.sensor_pipeline_base.SensorPipeline._demo_model", folder)
    with caplog.at_level(logging.WARNING):
        pipe = pipeline(EMBED, device="cpu")
    assert "demo model" in caplog.text
    assert "synthetic subjects" in caplog.text
    assert same(pipe(days), expected)


def test_explicit_model_does_not_warn_about_default(folder_of, caplog):
    with caplog.at_level(logging.WARNING, logger="sensorlm_hf"):
        pipeline(EMBED, model=str(folder_of("coca")))
    assert "demo model" not in caplog.text


@pytest.mark.parametrize("task", [ZERO_SHOT, CAPTION, EMBED])
def test_saved_pipeline_loads_without_remote_code(folder_of, task, days, tmp_path):
    options = {ZERO_SHOT: {"candidate_labels": "a,b"}, CAPTION: {"max_new_tokens": 4}, EMBED: {}}[task]
    pipe = pipeline(task, model=str(folder_of("coca")))
    pipe.save_pretrained(tmp_path / "saved")
    assert "custom_pipelines" not in json.loads((tmp_path / "saved" / "config.json").read_text())
    assert not list((tmp_path / "saved").glob("*.py"))
    again = pipeline(task, model=str(tmp_path / "saved"))
    assert type(pipe.model) is (SensorLMForConditionalGeneration if task == CAPTION else SensorLMModel)
    assert np.array_equal(again(days[0], **options), pipe(days[0], **options))
    assert type(AutoProcessor.from_pretrained(tmp_path / "saved")).__name__ == "SensorLMProcessor"


def test_saving_preserves_components(folder_of, days, tmp_path):
    processor = AutoProcessor.from_pretrained(folder_of("coca"))
    other = SensorLMFeatureExtractor(clip=1.0)
    for number, parts in enumerate(({"processor": processor}, {"tokenizer": processor.tokenizer})):
        model = AutoModel.from_pretrained(folder_of("coca"))
        model.config.custom_pipelines = {"a-task": {"impl": "a.B", "pt": ["AutoModel"]}}
        pipe = pipeline(EMBED, model=model, feature_extractor=other, **parts)
        pipe.save_pretrained(tmp_path / str(number))
        assert model.config.custom_pipelines  # the model in memory is unchanged
        again = pipeline(ZERO_SHOT, model=str(tmp_path / str(number)))
        assert again.feature_extractor.clip == 1.0
        assert processor.feature_extractor.clip == 5.0


def test_saving_to_existing_file_raises(embed, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ValueError, match="must be a folder"):
        embed.save_pretrained(tmp_path / "file")


# --- remote code on the Hub


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_files_import_only_sibling_modules(path):
    names = {file.stem for file in FILES}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            assert node.level == 1
            assert node.module in names
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            modules = [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            assert all(not str(module).startswith("sensorlm_hf") for module in modules)


@pytest.mark.slow
def test_pipelines_work_as_remote_code_without_package(folder_of, days, expected, tmp_path):
    folder = tmp_path / "repo"
    shutil.copytree(folder_of("coca"), folder)
    sources = [*FILES, *(PACKAGE / "modeling").glob("*_sensorlm.py"), *(PACKAGE / "processing").glob("*_sensorlm.py")]
    for source in sources:
        shutil.copy(source, folder)
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {
        "AutoConfig": "configuration_sensorlm.SensorLMConfig",
        "AutoModel": "modeling_sensorlm.SensorLMModel",
        "AutoModelForMultimodalLM": "generation_sensorlm.SensorLMForConditionalGeneration",
    }
    config["custom_pipelines"] = {task: {"impl": impl, "pt": list(names)} for task, (impl, names) in PIPELINES.items()}
    (folder / "config.json").write_text(json.dumps(config))
    processor = json.loads((folder / "processor_config.json").read_text())
    auto_map = {
        "AutoProcessor": "processing_sensorlm.SensorLMProcessor",
        "AutoFeatureExtractor": "feature_extraction_sensorlm.SensorLMFeatureExtractor",
    }
    processor["auto_map"] = auto_map
    processor["feature_extractor"]["auto_map"] = auto_map
    (folder / "processor_config.json").write_text(json.dumps(processor))
    np.save(tmp_path / "days.npy", np.stack([day.values for day in days]))
    script = f"""
import sys, numpy as np
sys.modules["sensorlm_hf"] = None
from transformers import pipeline
days = np.load("days.npy")
embed = pipeline({EMBED!r}, model="repo", trust_remote_code=True)
np.save("embeds.npy", np.stack(embed(days, batch_size=2)))
classify = pipeline({ZERO_SHOT!r}, model="repo", trust_remote_code=True)
assert len(classify(days[0], ["running", "rest"])) == 2
describe = pipeline({CAPTION!r}, model="repo", trust_remote_code=True)
assert describe(days[0], max_new_tokens=3)[0]["generated_text"] is not None
try:
    embed("days.npy")
except ImportError as error:
    assert "pip install sensorlm-hf" in str(error), error
else:
    raise SystemExit("a path was read without the package")
"""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_MODULES_CACHE": str(tmp_path / "modules")}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert same(np.load(tmp_path / "embeds.npy"), expected)
