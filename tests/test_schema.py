from __future__ import annotations

import json

import numpy as np
import pytest
import yaml

from sensorlm_hf.schema import CAPTION_GROUPS, MODALITIES, Channel, SensorSchema, get_schema, list_schemas

CHANNEL = {
    "key": "HR",
    "label": "heart rate",
    "modality": "PPG",
    "group": "Heart",
    "unit": "bpm",
    "mean": 70.0,
    "std": 12.0,
    "valid_range": (25.0, 240.0),
}


CONSTANTS_26 = [  # key, mean and standard deviation as published with the release
    ("HR", 75.9586, 16.1887),
    ("hr_at_rest_mean", 82.86923994290905, 10.867752252500274),
    ("hrv_percent_good", 0.2714810920080538, 0.2762414786979745),
    ("hrv_rr_80th_percentile_mean", 828.8905850347666, 108.40428688789727),
    ("hrv_rr_20th_percentile_mean", 734.5942838543058, 88.41269789220864),
    ("hrv_rr_median", 780.925540250376, 94.86837708152842),
    ("rmssd_percentile_0595", 34.1895276671302, 23.783359512525266),
    ("sdnn_percentile_0595", 45.335573726241854, 24.38601160405501),
    ("hrv_shannon_entropy_rr", 3.2953304951132885, 0.464777365409023),
    ("hrv_shannon_entropy_rrd", 2.9810634995051184, 0.48817021363471297),
    ("steps", 5.1679, 18.8926),
    ("jerk_auto", 203.4672, 30.0563),
    ("log_energy", 53.0804, 49.6526),
    ("covariance", 43.4077, 13.9529),
    ("log_energy_ratio", 44.8483, 22.9746),
    ("zero_crossing_std", 155.1863, 28.2378),
    ("zero_crossing_avg", 51.0043, 37.4756),
    ("axis_mean", 123.1659, 21.4710),
    ("kurtosis", 105.5954, 66.8495),
    ("sleep_coefficient", 7.2623, 5.3946),
    ("eda_level_real", 4.1767, 5.5893),
    ("ceda_slope_real_micro_siemens", 3.2444288158784063, 1.821951365148186),
    ("leads_contact_counts", 226.4864, 67.3312),
    ("wrist_temperatures", 31.6745, 2.5789),
    ("skin_temperature_slope", 0.2655571148317653, 17.266512596820043),
    ("altim_std", 0.0042, 0.0597),
]


def channel(**changes) -> Channel:
    return Channel(**{**CHANNEL, **changes})


@pytest.mark.parametrize(("name", "width"), [("sensorlm-26", 26), ("sensorlm-34", 34)])
def test_built_in_schemas_are_complete(name, width):
    schema = get_schema(name)
    assert len(schema) == len(set(schema.keys)) == width
    assert [c.key for c in schema if c.non_negative] == ["steps", "sleep_coefficient"]
    for c in schema:
        assert c.modality in MODALITIES
        assert c.group in CAPTION_GROUPS
        assert c.valid_range[0] < c.mean < c.valid_range[1], c.key
    assert {c.group for c in schema} == set(CAPTION_GROUPS)


def test_constants_of_the_26_channels():
    assert [(c.key, c.mean, c.std) for c in get_schema()] == CONSTANTS_26


def test_channels_described_in_every_caption():
    spoken = [c.key for c in get_schema("sensorlm-26") if c.in_every_caption]
    assert spoken == [
        "HR",
        "hrv_rr_median",
        "sdnn_percentile_0595",
        "hrv_shannon_entropy_rr",
        "steps",
        "jerk_auto",
        "log_energy",
        "kurtosis",
        "sleep_coefficient",
        "eda_level_real",
        "wrist_temperatures",
        "skin_temperature_slope",
    ]


def test_34_channels_match_reference(parity_dir):
    facts = json.loads((parity_dir / "reference_facts.json").read_text())
    schema = get_schema("sensorlm-34")
    assert list(schema.keys) == facts["channels"]
    assert {c.key: [c.mean, c.std] for c in schema} == facts["normalization"]


def test_channel_lookup():
    schema = get_schema("sensorlm-26")
    assert schema.index("steps") == 10
    assert schema["steps"].unit == "steps/min"
    assert "steps" in schema
    assert "Steps" not in schema
    assert [c.key for c in schema] == list(schema.keys)
    with pytest.raises(KeyError, match=r"no channel 'pulse'.*HR"):
        schema.index("pulse")
    assert list_schemas() == ("sensorlm-26", "sensorlm-34")
    assert get_schema(schema) is schema
    assert hash(schema) == hash(get_schema("sensorlm-26"))


@pytest.mark.parametrize("suffix", [".json", ".yaml", ".yml"])
@pytest.mark.parametrize("name", ["sensorlm-26", "sensorlm-34"])
def test_save_and_load(tmp_path, suffix, name):
    schema = get_schema(name)
    schema.save(tmp_path / f"mine{suffix}")
    assert get_schema(tmp_path / f"mine{suffix}") == schema
    assert get_schema(str(tmp_path / f"mine{suffix}")) == schema
    assert [p.name for p in tmp_path.iterdir()] == [f"mine{suffix}"]
    assert get_schema(json.loads(json.dumps(schema.to_dict()))) == schema


def test_schema_file_with_unknown_suffix_raises(tmp_path):
    with pytest.raises(ValueError, match=r"\.json, \.yaml or \.yml"):
        get_schema().save(tmp_path / "schema.txt")


def test_user_schema_defaults():
    schema = get_schema({"name": "ring", "channels": [{"key": "glucose", "mean": 5.5, "std": 1.5}]})
    (glucose,) = schema
    assert glucose.label == "glucose"
    assert glucose.modality == "OTHER"
    assert glucose.group == "Activity"
    assert glucose.unit == "a.u."
    assert glucose.valid_range == (5.5 - 30, 5.5 + 30)
    temperature = {"key": "t", "mean": 33.0, "std": 1.0, "modality": "TEMP"}
    assert get_schema({"name": "ring", "channels": [temperature]})["t"].group == "EDA"


@pytest.mark.parametrize("number", [np.float32(2.5), np.float64(2.5), np.int64(2)])
def test_numpy_numbers_are_accepted(number):
    stats = {"HR": (number, number)}
    assert get_schema().with_normalization(stats)["HR"].mean == float(number)


def test_with_normalization_changes_only_given_channels():
    schema = get_schema()
    other = schema.with_normalization({"steps": (4.0, 11.0)})
    assert other.name == "sensorlm-26-custom"
    assert (other["steps"].mean, other["steps"].std) == (4.0, 11.0)
    assert [c for c in other if c.key != "steps"] == [c for c in schema if c.key != "steps"]
    assert schema["steps"].mean == 5.1679
    assert schema.with_normalization({}, name="copy").name == "copy"
    with pytest.raises(KeyError, match="pulse"):
        schema.with_normalization({"pulse": (1.0, 1.0)})
    with pytest.raises(ValueError, match=r"'steps'.*`std` must be above 0"):
        schema.with_normalization({"steps": (4.0, 0.0)})


def test_built_in_name_is_reserved():
    with pytest.raises(ValueError, match="belongs to a built-in schema"):
        get_schema({"name": "sensorlm-26", "channels": [{"key": "x", "mean": 0.0, "std": 1.0}]})
    with pytest.raises(ValueError, match="belongs to a built-in schema"):
        get_schema().with_normalization({"steps": (4.0, 11.0)}, name="sensorlm-26")


@pytest.mark.parametrize(
    ("changes", "error", "match"),
    [
        ({"key": " "}, ValueError, "`key` must be a non-empty string"),
        ({"key": 3}, ValueError, "`key`"),
        ({"label": ""}, ValueError, "`label`"),
        ({"unit": None}, ValueError, "`unit`"),
        ({"modality": "ECG"}, ValueError, "`modality` must be one of PPG"),
        ({"group": "Lungs"}, ValueError, "`group` must be one of Heart"),
        ({"mean": float("nan")}, ValueError, "`mean` must be a finite number"),
        ({"mean": "70"}, ValueError, "`mean`"),
        ({"mean": True}, ValueError, "`mean`"),
        ({"std": 0.0}, ValueError, "`std` must be above 0"),
        ({"std": -1}, ValueError, "`std` must be above 0"),
        ({"std": float("inf")}, ValueError, "`std` must be a finite"),
        ({"valid_range": (240.0, 25.0)}, ValueError, "must rise"),
        ({"valid_range": (25.0,)}, ValueError, "two numbers"),
        ({"valid_range": "25"}, ValueError, "two numbers"),
        ({"valid_range": None}, ValueError, "two numbers"),
        ({"valid_range": (float("-inf"), 1.0)}, ValueError, "`valid_range` must be a finite"),
        ({"non_negative": 1}, TypeError, "`non_negative` must be true or false"),
    ],
)
def test_invalid_channels_raise(changes, error, match):
    with pytest.raises(error, match=match):
        channel(**changes)


@pytest.mark.parametrize(
    ("data", "error", "match"),
    [
        ([], TypeError, "must be a name, a path"),
        ({"name": "x"}, ValueError, "needs `name` and `channels`"),
        ({"name": "x", "channels": {}}, ValueError, "must be a list"),
        ({"name": "x", "channels": []}, ValueError, "no channels"),
        ({"name": "", "channels": [{"key": "a", "mean": 0, "std": 1}]}, ValueError, "non-empty `name`"),
        ({"name": "x", "channels": ["HR"]}, ValueError, r"channels\[0\] must be a mapping"),
        ({"name": "x", "channels": [{"key": "a", "mean": 0, "std": 1, "colour": 1}]}, ValueError, "colour"),
        ({"name": "x", "channels": [{"key": "a", "mean": 0}]}, ValueError, r"channels\[0\] \('a'\) lacks std"),
        ({"name": "x", "channels": [{"key": "a", "mean": 0, "std": 0}]}, ValueError, r"channels\[0\].*above 0"),
        ({"name": "x", "channels": [{"key": "a", "mean": 0, "std": 1}] * 2}, ValueError, "share the key 'a'"),
        ({"name": "x", "channels": [], "units": 1}, ValueError, "Unknown schema fields"),
        ("sensorlm-27", ValueError, "Built-in schemas are sensorlm-26, sensorlm-34"),
        (7, TypeError, "must be a name, a path"),
    ],
)
def test_invalid_schemas_raise(data, error, match):
    with pytest.raises(error, match=match):
        get_schema(data)


def test_schema_with_invalid_channel_raises():
    with pytest.raises(TypeError, match=r"channels\[1\] must be a Channel, got dict"):
        SensorSchema("x", (channel(), {}))  # type: ignore[arg-type]


def test_damaged_files_raise(tmp_path):
    with pytest.raises(FileNotFoundError):
        get_schema(tmp_path / "absent.json")
    for name, text, match in [
        ("a.json", "{", "not valid JSON"),
        ("b.yaml", "a: [", "not valid YAML"),
        ("c.yaml", "", "must be a mapping"),
        ("d.yaml", yaml.safe_dump({"name": "x", "channels": [{"key": "a", "mean": 0}]}), "lacks std"),
    ]:
        (tmp_path / name).write_text(text)
        with pytest.raises((ValueError, TypeError), match=match) as caught:
            get_schema(tmp_path / name)
        assert name in str(caught.value)
