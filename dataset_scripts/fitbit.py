"""A Fitbit or Google Takeout export (folder or zip) -> a Parquet folder with card that `datasets.load_dataset` reads.

python dataset_scripts/fitbit.py MyFitbitExport my-days --timezone Australia/Melbourne
"""

from __future__ import annotations

import sys

from sensorlm_hf.cli import main

sys.exit(main(["convert", "fitbit", *sys.argv[1:]]))
