"""Days as datasets and training batches. Names are imported lazily, so that readers do not depend on torch."""

from typing import TYPE_CHECKING

from .._lazy import lazy_names

if TYPE_CHECKING:
    from .captioning import CaptionSummary, caption_folder
    from .cohorts import write_cohort
    from .collator import SensorDayDataset, SensorLMCollator
    from .convert import Conversion, convert_recording
    from .folders import load_sensor_days, schema_of, write_days
    from .rows import sensor_day_features
    from .sensor_days import SensorDays, SensorDaysConfig
    from .stream import SensorDayStream

_HOMES = {
    "CaptionSummary": "captioning",
    "Conversion": "convert",
    "SensorDayDataset": "collator",
    "SensorDayStream": "stream",
    "SensorDays": "sensor_days",
    "SensorDaysConfig": "sensor_days",
    "SensorLMCollator": "collator",
    "caption_folder": "captioning",
    "convert_recording": "convert",
    "load_sensor_days": "folders",
    "schema_of": "folders",
    "sensor_day_features": "rows",
    "write_cohort": "cohorts",
    "write_days": "folders",
}

__all__ = [
    "CaptionSummary",
    "Conversion",
    "SensorDayDataset",
    "SensorDayStream",
    "SensorDays",
    "SensorDaysConfig",
    "SensorLMCollator",
    "caption_folder",
    "convert_recording",
    "load_sensor_days",
    "schema_of",
    "sensor_day_features",
    "write_cohort",
    "write_days",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
