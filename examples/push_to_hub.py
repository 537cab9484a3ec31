"""Push a model to the Hub, or write it to a local folder, after checking that it is complete.

python examples/push_to_hub.py my-sensorlm --to you/my-sensorlm --private     # needs `hf auth login`
python examples/push_to_hub.py my-sensorlm --to /media/stick/my-sensorlm --local

The code of the model, processor and pipelines is included, for users without this package.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from transformers import AutoProcessor

import sensorlm_hf
from sensorlm_hf import hub
from sensorlm_hf.checkpoints import demo_checkpoint
from sensorlm_hf.modeling import load_pretrained


def main() -> None:
    """Loads a model folder, pushes or writes model and processor, and verifies a local copy."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", default=demo_checkpoint(), help="Model folder; the demo model by default.")
    parser.add_argument("--to", required=True, help="Repository (you/name), or folder with --local.")
    parser.add_argument("--local", action="store_true", help="Write to a local folder instead of pushing.")
    parser.add_argument("--private", action="store_true", help="Make the repository private.")
    options = parser.parse_args()

    model = load_pretrained(options.folder).eval()
    processor = AutoProcessor.from_pretrained(options.folder)
    card = Path(options.folder) / "README.md"
    if not card.is_file():
        sys.stderr.write("There is no README.md that describes the training data; writing a short one.\n")

    text = card.read_text(encoding="utf-8") if card.is_file() else None
    if not options.local:
        address = hub.push_repository(model, processor, options.to, private=options.private, card=text)
        sys.stdout.write(
            f"Pushed: {address}\nLoad it with AutoModel.from_pretrained({options.to!r}), with"
            " trust_remote_code=True where sensorlm_hf is not installed.\n"
        )
        return

    target = Path(options.to)
    if target.exists() and any(target.iterdir()):
        parser.error(f"{target} is not empty; choose a new folder")
    hub.save_repository(model, processor, target, card=text)

    # Verify that the copy gives the same output.
    day = sensorlm_hf.simulate_days(1, seed=3)[0]
    inputs = processor(sensor=day, return_tensors="pt")
    again, its_processor = load_pretrained(target).eval(), AutoProcessor.from_pretrained(target)
    with torch.no_grad():
        before = model.get_sensor_features(**inputs).pooler_output
        after = again.get_sensor_features(**its_processor(sensor=day, return_tensors="pt")).pooler_output
    torch.testing.assert_close(after, before)
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file()) / 1e6
    sys.stdout.write(f"Wrote {target} ({size:.1f} MB); reloaded, it gives the same embedding.\n")


if __name__ == "__main__":
    main()
