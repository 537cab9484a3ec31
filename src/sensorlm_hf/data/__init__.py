"""Days as datasets and as training batches. Names are loaded on first use, so that readers stay free of torch."""

from typing import TYPE_CHECKING

from .._lazy import lazy_names

if TYPE_CHECKING:
    from .cohorts import write_cohort
    from .collator import SensorDayDataset, SensorLMCollator
    from .convert import Conversion, convert_recording
    from .folders import load_sensor_days, schema_of, write_days
    from .rows import sensor_day_features
    from .sensor_days import SensorDays, SensorDaysConfig

_HOMES = {
    "Conversion": "convert",
    "SensorDayDataset": "collator",
    "SensorDays": "sensor_days",
    "SensorDaysConfig": "sensor_days",
    "SensorLMCollator": "collator",
    "convert_recording": "convert",
    "load_sensor_days": "folders",
    "schema_of": "folders",
    "sensor_day_features": "rows",
    "write_cohort": "cohorts",
    "write_days": "folders",
}

__all__ = [
    "Conversion",
    "SensorDayDataset",
    "SensorDays",
    "SensorDaysConfig",
    "SensorLMCollator",
    "convert_recording",
    "load_sensor_days",
    "schema_of",
    "sensor_day_features",
    "write_cohort",
    "write_days",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
