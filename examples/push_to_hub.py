"""Share a model: check that a folder is a whole model repository, then push it to the Hub, or copy it to a folder.

python examples/push_to_hub.py my-sensorlm --to you/my-sensorlm --private     # needs `hf auth login`
python examples/push_to_hub.py my-sensorlm --to /media/stick/my-sensorlm --local
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from transformers import AutoModel, AutoProcessor

import sensorlm_hf
from sensorlm_hf.checkpoints import demo_checkpoint


def main() -> None:
    """Loads the folder, writes or pushes model and processor, and checks what a local copy gives."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", default=demo_checkpoint(), help="Model folder; the demo model by default.")
    parser.add_argument("--to", required=True, help="Repository, you/name, or a folder with --local.")
    parser.add_argument("--local", action="store_true", help="Write a folder instead of pushing.")
    parser.add_argument("--private", action="store_true", help="Make the repository private.")
    options = parser.parse_args()

    model = AutoModel.from_pretrained(options.folder).eval()
    processor = AutoProcessor.from_pretrained(options.folder)
    card = Path(options.folder) / "README.md"
    if not card.is_file():
        sys.stderr.write("There is no README.md: people will not know what the model was trained on.\n")

    if not options.local:
        model.push_to_hub(options.to, private=options.private)
        processor.push_to_hub(options.to)
        if card.is_file():
            from huggingface_hub import upload_file

            upload_file(path_or_fileobj=card, path_in_repo="README.md", repo_id=options.to)
        sys.stdout.write(f"Pushed. Others now write AutoModel.from_pretrained({options.to!r}).\n")
        return

    target = Path(options.to)
    if target.exists() and any(target.iterdir()):
        parser.error(f"{target} is not empty; name a new folder")
    model.save_pretrained(target)
    processor.save_pretrained(target)
    if card.is_file():
        (target / "README.md").write_bytes(card.read_bytes())

    # A copy is worth something if it says the same.
    day = sensorlm_hf.simulate_days(1, seed=3)[0]
    inputs = processor(sensor=day, return_tensors="pt")
    again, its_processor = AutoModel.from_pretrained(target).eval(), AutoProcessor.from_pretrained(target)
    with torch.no_grad():
        before = model.get_sensor_features(**inputs)
        after = again.get_sensor_features(**its_processor(sensor=day, return_tensors="pt"))
    torch.testing.assert_close(after, before)
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file()) / 1e6
    sys.stdout.write(f"Wrote {target} ({size:.1f} MB); loaded again, it gives the same embedding.\n")


if __name__ == "__main__":
    main()
