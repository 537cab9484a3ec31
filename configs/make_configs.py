"""Writes the configurations in this folder from `SensorLMConfig.from_size`, which defines them.

Usage: python configs/make_configs.py
"""

from __future__ import annotations

import json
from pathlib import Path

from sensorlm_hf.modeling import OBJECTIVES, SIZES, SensorLMConfig


def main(folder: Path) -> None:
    """Writes `<objective>-<size>.json` for every objective and size.

    Args:
        folder: Where to write.
    """
    for objective in OBJECTIVES:
        for size in SIZES:
            path = folder / f"{objective}-{size}.json"
            partial = path.with_name(path.name + ".partial")
            values = SensorLMConfig.from_size(objective, size).to_diff_dict()
            # The files say what the model is, not which version of a library wrote them.
            values.pop("transformers_version", None)
            partial.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")
            partial.replace(path)


if __name__ == "__main__":
    main(Path(__file__).parent)
