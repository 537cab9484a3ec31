"""A folder of days -> a dataset repository on the Hub, after a look for what says who its people are.

python dataset_scripts/push_dataset.py my-days someone/my-days --private
python dataset_scripts/push_dataset.py my-days someone/my-days --dry-run      # looks, and says what it would send
"""

from __future__ import annotations

import argparse
import sys

from sensorlm_hf.data.push import push_folder

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("folder", help="What `sensorlm-hf convert` or `write_days` wrote.")
parser.add_argument("repository", help="Name on the Hub, such as someone/my-days.")
parser.add_argument("--private", action="store_true", help="Only you and whom you invite may read it.")
parser.add_argument("--dry-run", action="store_true", help="Send nothing.")
parser.add_argument("--allow", nargs="+", default=[], metavar="COLUMN", help="Columns that only look like identity.")
options = parser.parse_args()

try:
    sent = push_folder(
        options.folder, options.repository, private=options.private, dry_run=options.dry_run, allow=options.allow
    )
except (ValueError, OSError) as error:
    sys.exit(f"push_dataset.py: {error}")
verb = "Would send" if options.dry_run else "Sent"
sys.stdout.write(f"{verb} {len(sent)} files to {options.repository}:\n" + "".join(f"  {name}\n" for name in sent))
