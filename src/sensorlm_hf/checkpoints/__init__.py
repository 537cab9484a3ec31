"""The demo model that ships with the package, as a ready-to-push model repository."""

from __future__ import annotations

from pathlib import Path

DEMO_MODEL = "sensorlm-coca"


def demo_checkpoint() -> str:
    """Returns the folder of the demo model, trained on simulated people.

    Raises:
        FileNotFoundError: If the package was installed without it.
    """
    folder = Path(__file__).parent / DEMO_MODEL
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(
            f"The demo model is not in {folder}; reinstall sensorlm-hf from a wheel, or run `make train-demo`."
        )
    return str(folder)
