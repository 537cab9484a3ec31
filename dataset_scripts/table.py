"""Any table of measurements (CSV, Parquet) -> a Parquet folder with card that `datasets.load_dataset` reads.

python dataset_scripts/table.py measurements.csv my-days --timezone Europe/Rome --mapping columns.yaml
"""

from __future__ import annotations

import sys

from sensorlm_hf.cli import main

sys.exit(main(["convert", "table", *sys.argv[1:]]))
