"""Fetches transformers' own common tests: the source distribution, from PyPI, of the version that is installed."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import transformers

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "transformers-tests"


def folder() -> Path:
    """The folder of the tests of the installed version, whether it is there or not."""
    return CACHE / transformers.__version__


def fetch() -> Path:
    """Downloads the tests and the one package that they need besides ours, unless they are there.

    Raises:
        subprocess.CalledProcessError: If pip cannot fetch them.
    """
    target = folder()
    if target.exists():
        return target
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as made:
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--retries", "2"]
        wanted = f"transformers=={transformers.__version__}"
        source = ["--no-deps", "--no-binary", ":all:", "--no-build-isolation"]
        subprocess.run([*pip, "download", *source, "--dest", made, wanted], check=True)
        subprocess.run([*pip, "install", "--no-deps", "--target", f"{made}/new/packages", "parameterized"], check=True)
        (archive,) = Path(made).glob("transformers-*.tar.gz")
        with tarfile.open(archive) as tar:
            top = archive.name.removesuffix(".tar.gz")
            tar.extractall(made, [m for m in tar if m.name.startswith(f"{top}/tests/")], filter="data")
        # The repository has this empty file, which one of the mixins loads; the distribution lacks it.
        (Path(made) / top / "tests" / "__init__.py").touch()
        (Path(made) / top / "tests").rename(Path(made) / "new" / "tests")
        (Path(made) / "new").rename(target)
    return target


def main() -> None:
    """Fetches the tests and prints their folder.

    Raises:
        SystemExit: If they cannot be fetched, with what to do about it.
    """
    try:
        print(fetch())
    except subprocess.CalledProcessError as error:
        raise SystemExit(
            f"transformers' own tests are not there: pip could not fetch the source distribution of transformers"
            f" {transformers.__version__}, and `parameterized`, from the package index (see its message above; exit"
            f" status {error.returncode}). Run this once with access to PyPI or to a mirror that holds source"
            f" distributions, or copy {folder()} from a checkout that has it."
        ) from error


if __name__ == "__main__":
    main()
