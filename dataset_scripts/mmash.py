"""The MMASH recordings (PhysioNet, open access) -> a Parquet folder with card that `datasets.load_dataset` reads.

python dataset_scripts/mmash.py MMASH/DataPaper my-days --test-share 0.2 --license odc-by
"""

from __future__ import annotations

import sys

from sensorlm_hf.cli import main

sys.exit(main(["convert", "mmash", *sys.argv[1:]]))
