"""Raw Empatica E4 sessions (folders or zips) -> a Parquet folder with card that `datasets.load_dataset` reads.

python dataset_scripts/e4.py my-sessions my-days --timezone Europe/Rome
"""

from __future__ import annotations

import sys

from sensorlm_hf.cli import main

sys.exit(main(["convert", "e4", *sys.argv[1:]]))
