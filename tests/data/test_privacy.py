"""Detection of identifying data."""

from __future__ import annotations

import datasets
import pytest

from sensorlm_hf.data import sensor_day_features
from sensorlm_hf.data.privacy import check_identity, column_names, looks_like_identity, new_salt, pseudonym


@pytest.mark.parametrize(
    "name",
    [
        "name", "first_name", "lastName", "e_mail_address", "email", "user_name", "username", "GPS", "start_latitude",
        "startLatitude", "lon", "home-address", "zip_code", "date_of_birth", "dob", "phone", "logId", "log_id", "ip",
        "device_serial", "labels.surname", "participant_number", "location",
    ],
)  # fmt: skip
def test_identifying_names_are_detected(name: str) -> None:
    assert looks_like_identity(name)


@pytest.mark.parametrize(
    "name",
    [
        "subject_id", "start", "timezone", "schema", "values", "events", "label", "kind", "age", "gender",
        "resting_heart_rate", "latency", "long_sleep", "description", "activity_name", "allocation", "main_activity",
        "hypertension",
    ],
)  # fmt: skip
def test_harmless_names_are_accepted(name: str) -> None:
    assert not looks_like_identity(name)


def test_nested_columns_are_checked() -> None:
    features = sensor_day_features(labels={"age": 30, "home_city": "x"})
    assert "events.label" in column_names(features)
    assert "labels.home_city" in column_names(features)
    with pytest.raises(ValueError, match=r"labels\.home_city \(its name\)"):
        check_identity(features)
    check_identity(features, allow=["labels.home_city"])
    check_identity(sensor_day_features(labels={"age": 30}))
    with pytest.raises(ValueError, match=r"gps_track \(its name\)"):
        check_identity(datasets.Features({"gps_track": datasets.Value("string")}))


def test_text_values_are_checked() -> None:
    features = sensor_day_features()
    row = {"subject_id": "p1", "start": "2024-03-01T00:00:00+01:00", "events": [{"kind": "activity", "label": "run"}]}
    check_identity(features, [row, {**row, "labels": {"note": "ran 12.5 km, 1234 steps", "count": 5}}])
    for text, what in (
        ("run with bob@example.org", "an e-mail address"),
        ("home 48.137154, 11.576124", "coordinates"),
        ("call +49 89 1234 5678", "a telephone number"),
    ):
        with pytest.raises(ValueError, match=rf"events\.label \(contains {what}\)") as caught:
            check_identity(features, [{**row, "events": [{"kind": "activity", "label": text}]}])
        assert text not in str(caught.value)
    with pytest.raises(ValueError, match="subject_id"):
        check_identity(features, [{**row, "subject_id": "bob@example.org"}])


def test_pseudonyms_depend_on_salt() -> None:
    assert pseudonym("anna", "a") == pseudonym("anna", "a")
    assert len({pseudonym("anna", "a"), pseudonym("anna", "b"), pseudonym("bob", "a")}) == 3
    assert pseudonym("anna", "a")[0] == "p"
    assert len(pseudonym("anna", "a")) == 17
    assert new_salt() != new_salt()
    with pytest.raises(ValueError, match="must not be empty"):
        pseudonym("anna", "")
