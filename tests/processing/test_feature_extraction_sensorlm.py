"""Conversion of all input types to model inputs and back; rejected and masked values."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from extraction_cases import KEYS, MEAN, SCHEMA, STD, TINY, plausible, ring, sensor_day

from sensorlm_hf.processing.feature_extraction_sensorlm import SensorLMFeatureExtractor
from sensorlm_hf.schema import get_schema

# Values ------------------------------------------------------------------------------------------------------------


def test_hand_computed_values(tiny):
    day = ring(pulse=[np.nan, 80, np.nan, np.nan, 50, np.nan], warmth=[np.nan] * 6, steps=[5, 25, 5, 5, 5, 205])
    out = tiny(day, return_tensors="np")
    # z of 80 is 1, of 50 is -2; missing values are 0, not interpolated.
    np.testing.assert_allclose(out["sensor_values"][0, :, 0], [0, 1, 0, 0, -2, 0], atol=1e-6)
    np.testing.assert_array_equal(out["sensor_values"][0, :, 1], np.zeros(6))
    np.testing.assert_allclose(out["sensor_values"][0, :, 2], [0, 1, 0, 0, 0, 5], atol=1e-6)  # 10 clipped at 5
    np.testing.assert_array_equal(out["sensor_mask"][0], ~np.isnan(day))


def test_values_match_pandas(extractor):
    values = plausible(3)
    out = extractor(values, return_tensors="np")
    for day, mine in zip(values, out["sensor_values"], strict=True):
        z = ((pd.DataFrame(day.astype(np.float64)) - MEAN) / STD).clip(-5, 5)
        expected = z.fillna(0.0)
        np.testing.assert_allclose(mine, expected.to_numpy(), atol=2e-4)
    np.testing.assert_array_equal(out["sensor_mask"], ~np.isnan(values))


def test_days_and_chunks_are_independent(extractor):
    values = plausible(37)
    together = extractor(values, return_tensors="np")
    for i in (0, 15, 16, 36):
        alone = extractor(values[i], return_tensors="np")
        np.testing.assert_array_equal(alone["sensor_values"][0], together["sensor_values"][i])
        np.testing.assert_array_equal(alone["sensor_mask"][0], together["sensor_mask"][i])


def test_days_are_processed_in_cache_sized_chunks(extractor, monkeypatch):
    """Counts the chunks; `benchmarks/loader.py` measures the time."""
    sizes = []
    observed = SensorLMFeatureExtractor._observed

    def counted(self, raw, first, dropped):
        sizes.append(len(raw))
        return observed(self, raw, first, dropped)

    monkeypatch.setattr(SensorLMFeatureExtractor, "_observed", counted)
    extractor(plausible(37))
    assert sizes == [16, 16, 5]


def test_decode_inverts(extractor):
    values = plausible(2)
    values = np.clip(values, MEAN - 4.9 * STD, MEAN + 4.9 * STD).astype(np.float32)
    out = extractor(values)
    back = extractor.decode(out["sensor_values"], out["sensor_mask"])
    np.testing.assert_allclose(back, values, rtol=1e-4, atol=1e-4)
    assert np.isfinite(extractor.decode(out["sensor_values"])).all()


def test_decode_clips_non_negative_channels(tiny):
    low = tiny.decode(np.full((6, 3), -5.0))
    np.testing.assert_allclose(low[0], [20.0, 23.0, 0.0])
    with pytest.raises(ValueError, match=r"last axis must be the 3 channels \(pulse, warmth, steps\)"):
        tiny.decode(np.zeros((3, 6)))
    with pytest.raises(ValueError, match="`sensor_mask` has shape"):
        tiny.decode(np.zeros((6, 3)), np.ones((5, 3), dtype=bool))
    with pytest.raises(TypeError, match="is a BatchFeature; give one of its arrays"):
        tiny.decode(tiny(ring()))


# Input types -------------------------------------------------------------------------------------------------------


def test_every_input_type_gives_same_values(extractor):
    values = plausible()[0]
    frame = pd.DataFrame(values, columns=KEYS)
    expected = extractor(values, return_tensors="np")
    shuffled = frame[KEYS[::-1]]
    minutes = pd.date_range("2024-03-30 12:00", periods=1440, freq="min", tz="Europe/Berlin")  # across a clock change
    kinds = {
        "day": sensor_day(values),
        "batch": values[None],
        "float64": values.astype(np.float64),
        "fortran": np.asfortranarray(values),
        "masked array": np.ma.masked_array(np.nan_to_num(values, nan=70.0), np.isnan(values)),
        "torch": torch.from_numpy(values),
        "torch double, with gradient": torch.from_numpy(values).double().requires_grad_(),
        "frame": frame,
        "shuffled frame": shuffled,
        "nullable frame": frame.astype("Float64"),
        "object frame": shuffled.astype(object),
        "frame with times": frame.set_index(minutes),
        "frame with a time column": frame.assign(timestamp=minutes.tz_convert(None)),
        "frame with ISO times": frame.assign(Time=[str(t) for t in minutes.tz_convert(None)]),
        "frame with minutes": frame.assign(minute=np.arange(1440)),
        "list": [values],
        "tuple": (frame,),
        "object array of days": np.array([sensor_day(values), None], dtype=object)[:1],
        "nested lists": values.tolist(),
        "nested lists with None": [[None if np.isnan(v) else v for v in row] for row in values.tolist()],
    }
    for kind, given_input in kinds.items():
        out = extractor(given_input, return_tensors="np")
        np.testing.assert_allclose(out["sensor_values"], expected["sensor_values"], atol=1e-6, err_msg=kind)
        np.testing.assert_array_equal(out["sensor_mask"], expected["sensor_mask"], err_msg=kind)


def test_mixed_lists_keep_order(extractor):
    values = plausible(4)
    mixed = [sensor_day(values[0]), values[1], pd.DataFrame(values[2], columns=KEYS)[KEYS[::-1]], values[3:]]
    np.testing.assert_array_equal(extractor(mixed)["sensor_values"], extractor(values)["sensor_values"])


def test_columns_option_names_array_channels(extractor):
    values = plausible()[0]
    order = np.random.default_rng(1).permutation(26)
    out = extractor(values[:, order], columns=[KEYS[i] for i in order])
    torch.testing.assert_close(out["sensor_values"], extractor(values)["sensor_values"])


def test_output_types(extractor):
    for return_tensors, kind in [("pt", torch.Tensor), ("np", np.ndarray), (None, np.ndarray)]:
        out = extractor(plausible()[0], return_tensors=return_tensors)
        assert list(out) == extractor.model_input_names
        assert all(isinstance(value, kind) and tuple(value.shape) == (1, 1440, 26) for value in out.values())
    assert (out["sensor_values"].dtype, out["sensor_mask"].dtype) == (np.float32, bool)


@pytest.mark.parametrize("dtype", [np.int16, np.int64, np.float16, np.uint8])
def test_low_precision_dtypes(tiny, dtype):
    out = tiny(ring().astype(dtype), return_tensors="np")
    np.testing.assert_array_equal(out["sensor_values"], 0)


def test_bfloat16(tiny):
    assert tiny(torch.from_numpy(ring()).bfloat16())["sensor_values"].abs().max() < 0.1


def test_input_is_not_modified(extractor):
    values = plausible(2)
    values[0, 5, 0] = 999.0  # implausible, so masked
    kept = values.copy()
    frame = pd.DataFrame(values[1], columns=KEYS)
    tensor = torch.from_numpy(values.copy())
    with pytest.warns(UserWarning, match="Implausible"):
        out = extractor(values)
    with pytest.warns(UserWarning, match="Implausible"):
        extractor(tensor)
    extractor(frame)
    out["sensor_values"].zero_()
    np.testing.assert_array_equal(values, kept)
    np.testing.assert_array_equal(tensor.numpy(), kept)
    np.testing.assert_array_equal(frame.to_numpy(), kept[1])
    values.flags.writeable = False
    with pytest.warns(UserWarning, match="Implausible"):
        extractor(values)


def test_other_schemas_are_matched_by_name(extractor):
    other = get_schema("sensorlm-34")
    extractor_34 = SensorLMFeatureExtractor("sensorlm-34")
    values = plausible()[0]
    shared = [key for key in other.keys if key in SCHEMA]
    with pytest.warns(UserWarning, match=r"absent.*rr_med, sdnn0595") as caught:
        out = extractor_34([pd.DataFrame(values, columns=KEYS)[shared]] * 3, return_tensors="np")
    assert len(caught) == 1
    expected = extractor(values, return_tensors="np")
    for key in shared:
        np.testing.assert_array_equal(
            out["sensor_mask"][2, :, other.index(key)], expected["sensor_mask"][0, :, SCHEMA.index(key)]
        )
        np.testing.assert_allclose(
            out["sensor_values"][2, :, other.index(key)], expected["sensor_values"][0, :, SCHEMA.index(key)], atol=1e-5
        )
    assert not out["sensor_mask"][:, :, other.index("spo2")].any()
    assert not out["sensor_values"][:, :, other.index("spo2")].any()
    few = get_schema({"name": "few", "channels": [SCHEMA[key].to_dict() for key in ("steps", "HR")]})
    with pytest.warns(UserWarning, match="absent"):
        out = extractor(sensor_day(values[:, [10, 0]], few), return_tensors="np")
    np.testing.assert_array_equal(out["sensor_values"][0, :, [0, 10]], expected["sensor_values"][0, :, [0, 10]])


def test_same_name_with_other_unit_raises(extractor):
    fahrenheit = {**SCHEMA["wrist_temperatures"].to_dict(), "unit": "degF"}
    schema = get_schema({"name": "us", "channels": [fahrenheit]})
    with pytest.raises(ValueError, match=r"'wrist_temperatures' is in 'degF'.*but in 'degC' here"):
        extractor(sensor_day(np.full((1440, 1), 33.0), schema))


# Rejected input ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sensor", "error", "match"),
    [
        ([], ValueError, "empty"),
        (np.zeros((0, 6, 3)), ValueError, "contains no day"),
        (None, TypeError, "is a NoneType"),
        ("day.csv", TypeError, "is a str"),
        ({"pulse": [70]}, TypeError, "is a dict"),
        (7, TypeError, "is a int"),
        ([ring(), None], TypeError, r"sensor\[1\] is a NoneType"),
        ([[]], TypeError, "is a list"),
        (np.zeros(6), ValueError, r"shape \(6,\); expected \(6, 3\)"),
        (np.zeros((1, 1, 6, 3)), ValueError, "expected"),
        (ring().T, ValueError, r"\(3, 6\).*transposed.*swapaxes"),
        (np.zeros((4, 3, 6)), ValueError, "transposed"),
        (np.zeros((6, 4)), ValueError, r"\(6, 4\).*expected \(6, 3\).*no names here"),
        (np.zeros((5, 3)), ValueError, r"\(5, 3\).*Pad a shorter day with NaN"),
        ([ring(), np.zeros((5, 3))], ValueError, r"sensor\[1\] has days of shape \(5, 3\)"),
        ([[1.0, 2.0], [3.0]], ValueError, "unequal length"),
        (np.full((6, 3), "70"), TypeError, "must be numbers"),
        (np.full((6, 3), "70", dtype=object), TypeError, r"'70' \(str\)"),
        ([["70"] * 3] * 6, TypeError, "list"),
        (ring().astype(complex), TypeError, "complex"),
        (np.zeros((6, 3), dtype="datetime64[s]"), TypeError, "datetime64"),
    ],
)
def test_invalid_arrays_raise(tiny, sensor, error, match):
    with pytest.raises(error, match=match):
        tiny(sensor)


@pytest.mark.parametrize("bad", [np.inf, -np.inf, 1e39])
def test_infinite_values_are_reported_with_location(extractor, bad):
    values = plausible(20).astype(np.float64)
    values[17, 33, 10] = bad
    with pytest.raises(ValueError, match="Item 17 is infinite at minute 33, channel 'steps'"):
        extractor(values)


def table(**columns) -> pd.DataFrame:
    return pd.DataFrame(ring(), columns=["pulse", "warmth", "steps"]).assign(**columns)


@pytest.mark.parametrize(
    ("frame", "match"),
    [
        (table().rename(columns={"pulse": "heart_rate"}), r"'heart_rate' \(closest: pulse\)"),
        (table().rename(columns={"steps": "Step"}), r"'Step' \(closest: steps\)"),
        (table(altitude=1.0), r"'altitude' \(nothing close\)"),
        (table(bpm=70.0), r"'bpm' \(closest: pulse\)"),
        (pd.DataFrame(ring()), "columns have no names"),
        (pd.concat([table(), table()], axis=1), "'pulse', 'steps', 'warmth' more than once"),
        (table()[:5], "DataFrame of 5 rows; expected 6"),
        (pd.DataFrame({"minute": range(6)}), "no signal column"),
        (
            table(minute=[0, 1, 2, 3, 5, 4]),
            "'minute' must increase by one minute per row, but rows 3 and 4 are 3 and 5",
        ),
        (table(time="noon"), "column 'time' is not a time"),
        (table().set_index(pd.date_range("2024-03-01", periods=6, freq="s")), "the index must increase by one minute"),
        (table().set_index(pd.date_range("2024-03-01", periods=6, freq="-1min")), "the index must increase"),
        (table().set_index(pd.DatetimeIndex(["2024-03-01"] * 5 + [None])), "no time in row 5"),
        (table(timestamp=pd.Timestamp("2024-03-01")), "column 'timestamp' must increase"),
    ],
)
def test_invalid_tables_raise(tiny, frame, match):
    with pytest.raises(ValueError, match=match):
        tiny(frame)


def test_tables_with_text(tiny):
    with pytest.raises(TypeError, match=r"column 'pulse' contains.*must be numbers"):
        tiny(table(pulse="70"))
    with pytest.raises(TypeError, match="column 'pulse'"):
        tiny(table(pulse=pd.Series(["70"] * 6, dtype="string")))


def test_invalid_columns_raise(tiny):
    with pytest.raises(ValueError, match=r"`columns` has unknown columns: 'puls' \(closest: pulse\)"):
        tiny(ring(), columns=["puls", "warmth", "steps"])
    with pytest.raises(ValueError, match="more than once"):
        tiny(ring(), columns=["pulse", "pulse", "steps"])
    with pytest.raises(TypeError, match="list of channel keys"):
        tiny(ring(), columns="pulse")
    with pytest.raises(ValueError, match=r"expected \(6, 2\)"):
        tiny(ring(), columns=["pulse", "steps"])


def test_empty_days(tiny):
    empty = np.full((6, 3), np.nan)
    with pytest.raises(ValueError, match=r"Item 1, 3 \(2 of 4\) has no plausible observed value"):
        tiny([ring(), empty, ring(), empty])
    out = tiny([ring(), empty], allow_empty=True)
    assert not out["sensor_values"][1].any()
    assert not out["sensor_mask"][1].any()
    lenient = SensorLMFeatureExtractor(TINY, window_minutes=6, allow_empty=True)
    assert lenient(empty)["sensor_values"].shape == (1, 6, 3)
    with pytest.raises(ValueError, match="no plausible"):
        lenient(empty, allow_empty=False)


# Implausible values ------------------------------------------------------------------------------------------------


def test_few_implausible_values_are_masked_with_one_warning(extractor):
    values = plausible(20, gaps=False)
    values[3, 10:12, 0] = 250.0
    values[18, 7, 0] = 10.0
    values[18, 9, 23] = 45.0
    with pytest.warns(UserWarning, match="count as missing") as caught:
        out = extractor(values, return_tensors="np")
    assert len(caught) == 1
    assert caught[0].filename == __file__
    message = str(caught[0].message)
    assert "HR: 3 values outside 25 to 240 bpm" in message
    assert "wrist_temperatures: 1 value outside 10 to 41 degC" in message
    assert (~out["sensor_mask"]).sum() == 4
    assert not out["sensor_mask"][3, 10:12, 0].any()
    assert (out["sensor_values"][3, 10:12, 0] == 0).all()


def test_implausible_raise_and_keep():
    values = plausible(2, gaps=False)
    values[1, 5, 0] = 250.0
    with pytest.raises(ValueError, match="Item 1: 1 of the 1440 observed values of channel 'HR'"):
        SensorLMFeatureExtractor(implausible="raise")(values)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out = SensorLMFeatureExtractor(implausible="keep")(values)
    assert out["sensor_mask"].all()
    assert out["sensor_values"][1, 5, 0] == 5.0


@pytest.mark.parametrize(
    ("key", "mistake", "guess"),
    [
        ("wrist_temperatures", lambda x: x + 273.15, "kelvin"),
        ("wrist_temperatures", lambda x: x * 1.8 + 32, "Fahrenheit"),
        ("wrist_temperatures", lambda x: x * 100, "hundredths"),
        ("HR", lambda x: x / 60, "beats per second"),
        ("HR", lambda x: 60 / x, "seconds between beats"),
        ("HR", lambda x: 60_000 / x, "milliseconds between beats"),
        ("HR", lambda x: (x - MEAN[0]) / STD[0], "z-scores"),
        ("HR", lambda x: x * 0, "0 looks like a code for 'missing'"),
        ("HR", lambda x: x * 0 + 7, "No common unit error"),
        ("hrv_rr_median", lambda x: x / 1000, r"seconds \(times 1000\)"),
        ("hrv_rr_median", lambda x: x * 1000, "microseconds"),
        ("hrv_rr_median", lambda x: 60_000 / x, "beats per minute"),
        ("hrv_percent_good", lambda x: 5 + x * 100, "percent"),
        ("eda_level_real", lambda x: 100 + x * 1000, "nanosiemens"),
        ("steps", lambda x: np.cumsum(x + 1), "running total"),
    ],
)
def test_unit_mistakes_are_suggested(extractor, key, mistake, guess):
    values = plausible(3, gaps=False)
    column = SCHEMA.index(key)
    values[2, :, column] = mistake(values[2, :, column].astype(np.float64))
    with pytest.raises(ValueError, match=rf"Item 2: .*channel '{key}'.*{guess}"):
        extractor(values)


def test_temperature_of_310_and_heart_rate_of_7(extractor):
    values = plausible(1, gaps=False)
    values[0, :, 23] = 310.0
    with pytest.raises(ValueError, match=r"'wrist_temperatures'.*outside 10 to 41 degC.*kelvin"):
        extractor(values)
    values = plausible(1, gaps=False)
    values[0, :, 0] = 7.0
    with pytest.raises(ValueError, match=r"'HR' \(heart rate\) are outside 25 to 240 bpm \(median 7\)"):
        extractor(values)


def test_percent_channels():
    extractor = SensorLMFeatureExtractor("sensorlm-34")
    column = extractor.channel_keys.index("spo2")
    day = np.full((1440, 34), np.nan)
    day[:, column] = 0.96
    with pytest.raises(ValueError, match=r"'spo2'.*fractions of 1"):
        extractor(day)


def test_few_implausible_minutes_do_not_raise_for_batch(extractor):
    values = plausible(2, gaps=False)
    values[1, :, 23] = np.nan
    values[1, 100:110, 23] = 310.0
    with pytest.warns(UserWarning, match=r"wrist_temperatures: 10 values.*kelvin"):
        out = extractor(values, return_tensors="np")
    assert not out["sensor_mask"][1, :, 23].any()
