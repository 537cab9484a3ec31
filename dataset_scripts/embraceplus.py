"""Empatica EmbracePlus digital biomarkers -> a Parquet folder with card that `datasets.load_dataset` reads.

python dataset_scripts/embraceplus.py participant_data my-days --timezone Europe/Madrid
"""

from __future__ import annotations

import sys

from sensorlm_hf.cli import main

sys.exit(main(["convert", "embraceplus", *sys.argv[1:]]))
