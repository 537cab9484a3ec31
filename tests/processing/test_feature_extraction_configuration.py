"""Feature extractor constants: fitting, saving, loading, validation, and matching to a model."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
from extraction_cases import KEYS, MEAN, SCHEMA, STD, TINY, plausible, ring, sensor_day
from transformers import AutoFeatureExtractor, FeatureExtractionMixin

from sensorlm_hf.processing.feature_extraction_sensorlm import SensorLMFeatureExtractor
from sensorlm_hf.schema import SensorSchema, get_schema

# Fitting -----------------------------------------------------------------------------------------------------------


def test_fit_normalization_matches_numpy(extractor):
    values = plausible(40, seed=3)
    stream = (sensor_day(day) for day in values)
    fitted = extractor.fit_normalization(stream)
    flat = values.reshape(-1, 26).astype(np.float64)
    np.testing.assert_allclose(fitted.channel_means, np.nanmean(flat, axis=0), rtol=1e-9)
    np.testing.assert_allclose(fitted.channel_stds, np.nanstd(flat, axis=0), rtol=1e-9)
    whole = extractor.fit_normalization(values)
    np.testing.assert_allclose(whole.channel_means, fitted.channel_means, rtol=1e-12)
    assert fitted.schema == "sensorlm-26-custom"
    assert extractor.schema == "sensorlm-26"
    assert extractor.channel_means == list(SCHEMA.means)
    fitted.check_channels(KEYS)
    with pytest.raises(ValueError, match=r"'HR' is normalised with mean .* but the model was trained with 75\.9586"):
        fitted.check_channels(KEYS, SCHEMA.means, SCHEMA.stds)
    z = fitted(values, return_tensors="np")
    np.testing.assert_allclose(z["sensor_values"][z["sensor_mask"]].mean(), 0, atol=0.01)


def test_fit_keeps_constants_of_constant_and_absent_channels(tiny):
    with pytest.warns(UserWarning, match=r"keep their constants: warmth, steps\."):
        fitted = tiny.fit_normalization([ring(pulse=[60, 80] * 3, warmth=[np.nan] * 6)], name="mine")
    assert fitted.channel_means == [70.0, 33.0, 5.0]
    assert fitted.channel_stds == [10.0, 2.0, 20.0]
    assert fitted.schema == "mine"


def test_fit_ignores_implausible_values(tiny):
    with pytest.warns(UserWarning, match="keep their constants"), pytest.warns(UserWarning, match="pulse: 1 value"):
        fitted = tiny.fit_normalization([ring(pulse=[60, 80, 60, 80, 999, np.nan])])
    assert fitted.channel_means[0] == 70.0
    with pytest.raises(ValueError, match="`days` is empty"):
        tiny.fit_normalization([])
    with pytest.raises(TypeError, match="is a str"):
        tiny.fit_normalization("days")


# Configuration -----------------------------------------------------------------------------------------------------


def test_save_and_load(tmp_path, extractor):
    for saved in [extractor, SensorLMFeatureExtractor(TINY, 6, 3, "raise", True)]:
        saved.save_pretrained(tmp_path)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["preprocessor_config.json"]
        for loaded in [
            SensorLMFeatureExtractor.from_pretrained(tmp_path),
            pickle.loads(pickle.dumps(saved)),
        ]:
            assert loaded.to_dict() == saved.to_dict()
            assert loaded.to_schema().channels == saved.to_schema().channels
    assert SensorLMFeatureExtractor.from_pretrained(tmp_path, clip=4.0).clip == 4.0
    with pytest.raises(ValueError, match="`schema` cannot replace them"):
        SensorLMFeatureExtractor.from_pretrained(tmp_path, schema="sensorlm-34")


def test_configuration_contains_channels(tmp_path, extractor):
    extractor.save_pretrained(tmp_path)
    saved = json.loads((tmp_path / "preprocessor_config.json").read_text())
    assert saved["feature_extractor_type"] == "SensorLMFeatureExtractor"
    assert saved["schema"] == "sensorlm-26"
    assert saved["channels"] == [channel.to_dict() for channel in SCHEMA]
    assert isinstance(extractor, FeatureExtractionMixin)


def test_edited_configuration_is_loaded(tmp_path, tiny):
    tiny.save_pretrained(tmp_path)
    path = tmp_path / "preprocessor_config.json"
    saved = json.loads(path.read_text())
    saved["channels"][0]["mean"] = 60.0
    path.write_text(json.dumps(saved))
    loaded = SensorLMFeatureExtractor.from_pretrained(tmp_path)
    assert loaded(ring())["sensor_values"][0, 0, 0] == 1.0
    saved["channels"][1].pop("std")
    path.write_text(json.dumps(saved))
    with pytest.raises(ValueError, match=r"channels\[1\] must be a dict with key"):
        SensorLMFeatureExtractor.from_pretrained(tmp_path)


def test_schema_as_object_file_or_dict(tmp_path):
    SCHEMA.save(tmp_path / "mine.yaml")
    for schema in (SCHEMA, SCHEMA.to_dict(), tmp_path / "mine.yaml", "sensorlm-26"):
        assert SensorLMFeatureExtractor(schema).to_dict() == SensorLMFeatureExtractor().to_dict()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"schema": "sensorlm-27"}, "Unknown schema"),
        ({"window_minutes": 0}, "`window_minutes` must be an integer"),
        ({"window_minutes": 1440.0}, "`window_minutes`"),
        ({"clip": 0}, "`clip`"),
        ({"clip": float("nan")}, "`clip`"),
        ({"clip": "5"}, "`clip`"),
        ({"implausible": "drop"}, "`implausible` must be one of mask, raise, keep"),
        ({"allow_empty": "no"}, "`allow_empty`"),
        ({"channels": []}, "non-empty list"),
        ({"channels": [SCHEMA["HR"].to_dict()] * 2}, "unique keys"),
        ({"channels": [{**SCHEMA["HR"].to_dict(), "std": 0}]}, r"channels\[0\] \('HR'\).*`std` above 0"),
        ({"channels": [{**SCHEMA["HR"].to_dict(), "std": "wide"}]}, "needs numbers"),
        ({"channels": [{**SCHEMA["HR"].to_dict(), "valid_range": [3]}]}, "two as `valid_range`"),
        ({"channels": [{**SCHEMA["HR"].to_dict(), "valid_range": [3, 2]}]}, "increasing `valid_range`"),
        ({"channels": [SCHEMA["HR"].to_dict()], "schema": SCHEMA}, "must be the name"),
    ],
)
def test_invalid_options_raise(options, match):
    with pytest.raises(ValueError, match=match):
        SensorLMFeatureExtractor(**options)


def test_repr_is_short(extractor):
    assert repr(extractor) == (
        "SensorLMFeatureExtractor(schema='sensorlm-26', window_minutes=1440, clip=5.0,"
        " implausible='mask', allow_empty=False, 26 channels)"
    )


def test_check_channels(extractor):
    extractor.check_channels(tuple(KEYS), MEAN, STD)
    for keys, match in [
        (KEYS[::-1], "a different order"),
        (KEYS[:-1], r"\(25\): it adds altim_std"),
        (["pulse", *KEYS[1:]], "it lacks pulse; it adds HR"),
    ]:
        with pytest.raises(ValueError, match=match):
            extractor.check_channels(keys)
    with pytest.raises(ValueError, match="`channel_stds` has 2 entries for 26"):
        extractor.check_channels(KEYS, channel_stds=[1.0, 2.0])


def test_saving_into_processor_folder_updates_its_copy(tmp_path, tiny):
    (tmp_path / "processor_config.json").write_text(
        json.dumps(
            {
                "processor_class": "SensorLMProcessor",
                "feature_extractor": {**tiny.to_dict(), "auto_map": {"AutoFeatureExtractor": "x.Y"}},
            }
        )
    )
    with pytest.warns(UserWarning, match="keep their constants"):
        fitted = tiny.fit_normalization([ring(pulse=[50, 70] * 3)])
    fitted.save_pretrained(tmp_path)
    assert SensorLMFeatureExtractor.from_pretrained(tmp_path).channel_means[0] == 60.0
    saved = json.loads((tmp_path / "processor_config.json").read_text())
    assert saved["processor_class"] == "SensorLMProcessor"
    assert saved["feature_extractor"]["auto_map"] == {"AutoFeatureExtractor": "x.Y"}


def test_auto_class(tmp_path, extractor, registered):
    extractor.save_pretrained(tmp_path)
    loaded = AutoFeatureExtractor.from_pretrained(tmp_path)
    assert type(loaded) is SensorLMFeatureExtractor
    assert loaded.to_dict() == extractor.to_dict()


def test_channels_are_matched_to_model_by_name(tmp_path):
    full = SensorLMFeatureExtractor("sensorlm-26")
    assert full.for_model(full.channel_keys) is full
    few = SensorSchema("watch", tuple(get_schema("sensorlm-26")[key] for key in ("steps", "HR")))
    day = np.full((1440, 2), np.nan, dtype=np.float32)
    day[10:20, 0], day[5:30, 1] = 40.0, 92.1473
    placed = SensorLMFeatureExtractor(few).for_model(full.channel_keys)
    out = placed(day, return_tensors="np")
    assert out["sensor_values"].shape == out["sensor_mask"].shape == (1, 1440, 26)
    with pytest.warns(UserWarning, match="absent"):
        expected = full(day, columns=["steps", "HR"], return_tensors="np")
    np.testing.assert_array_equal(out["sensor_mask"], expected["sensor_mask"])
    np.testing.assert_array_equal(out["sensor_values"], expected["sensor_values"])
    placed.check_channels(full.channel_keys)
    placed.check_channels(full.channel_keys, full.channel_means, full.channel_stds)
    placed.save_pretrained(tmp_path)
    loaded = SensorLMFeatureExtractor.from_pretrained(tmp_path)
    assert loaded.output_keys == full.channel_keys
    np.testing.assert_array_equal(loaded(day, return_tensors="np")["sensor_values"], out["sensor_values"])
    np.testing.assert_allclose(
        loaded.decode(out["sensor_values"][..., [10, 0]], out["sensor_mask"][..., [10, 0]])[0], day
    )
    assert placed.for_model(["HR", "steps"])(day)["sensor_mask"][0, 12].tolist() == [True, True]


def test_channels_unknown_to_model_raise():
    extractor = SensorLMFeatureExtractor("sensorlm-26")
    with pytest.raises(ValueError, match=r"not those of the model \(25\): it does not know HR\."):
        extractor.for_model(extractor.channel_keys[1:])
    with pytest.raises(ValueError, match="two of the same name"):
        extractor.for_model([*extractor.channel_keys, "HR"])


@pytest.mark.parametrize("saved", [None, 30])
def test_old_configurations_with_imputation_can_be_loaded(extractor, tmp_path, saved):
    extractor.save_pretrained(tmp_path)
    path = tmp_path / "preprocessor_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "max_gap_fill": saved}))
    loaded = SensorLMFeatureExtractor.from_pretrained(tmp_path)
    assert loaded.to_dict() == extractor.to_dict()
    assert not hasattr(loaded, "max_gap_fill")
