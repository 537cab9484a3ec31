"""A Fitbit or Google Takeout export -> a Parquet folder that `datasets.load_dataset` reads.

python dataset_scripts/fitbit.py MyFitbitExport my-days --timezone Australia/Melbourne
"""

from __future__ import annotations

import argparse
import sys

from sensorlm_hf import write_days
from sensorlm_hf.data.readers import ReadReport, read_fitbit

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("export", help="Folder or zip file.")
parser.add_argument("output", help="Folder to write.")
parser.add_argument("--timezone", required=True, help="Where the person lived, such as Europe/Berlin.")
options = parser.parse_args()

report = ReadReport()
try:
    count = write_days(read_fitbit(options.export, options.timezone, report=report), options.output)
except (ValueError, OSError) as error:
    parser.error(str(error))
sys.stdout.write(f"Wrote {count} days to {options.output}.\n{report.summary()}\n")
