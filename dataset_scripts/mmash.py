"""The MMASH recordings (PhysioNet, open access) -> a Parquet folder that `datasets.load_dataset` reads.

python dataset_scripts/mmash.py MMASH/DataPaper my-days
"""

from __future__ import annotations

import argparse
import sys

from sensorlm_hf import write_days
from sensorlm_hf.data.readers import ReadReport, read_mmash

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("recordings", help="Folder that holds user_1, user_2, ...")
parser.add_argument("output", help="Folder to write.")
options = parser.parse_args()

report = ReadReport()
try:
    count = write_days(read_mmash(options.recordings, report=report), options.output)
except (ValueError, OSError) as error:
    parser.error(str(error))
sys.stdout.write(f"Wrote {count} days to {options.output}.\n{report.summary()}\n")
