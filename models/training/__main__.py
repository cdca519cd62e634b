"""Rebuilds model folders from the data and names every file whose bytes changed."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from threadpoolctl import threadpool_limits

VERSIONS = {"impairment-screen": "1", "dementia-risk": "1", "ukbdrs": "1", "caide": "1", "mmse-forecast": "1"}


def write(folder: Path, files: dict[str, bytes]) -> list[str]:
    """Writes the files that differ from what stands in the folder, and names them."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = [name for name, data in files.items() if not (folder / name).exists() or (folder / name).read_bytes() != data]
    for name in changed:
        (folder / name).write_bytes(files[name])
    return changed


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument("data", type=Path, help="folder that holds oasis/ and paquid/")
    parser.add_argument("models", nargs="*", metavar="model", help=f"models to rebuild (default all): {', '.join(VERSIONS)}")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent.parent, help="folder of the models")
    parser.add_argument("--check", action="store_true", help="exit with 1 if any file changed")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.models) - set(VERSIONS))
    if unknown:
        parser.error(f"unknown model {', '.join(unknown)}; known: {', '.join(VERSIONS)}")
    changed = False
    for name in arguments.models or VERSIONS:
        builder = importlib.import_module(f".{name.replace('-', '_')}", __package__)
        # One thread: sums keep their order, so that the same data give the same bytes on any number of cores.
        with threadpool_limits(1):
            files = builder.build(arguments.data)
        differing = write(arguments.out / name / VERSIONS[name], files)
        print(f"{name}: " + (f"changed {', '.join(differing)}" if differing else "identical"), flush=True)
        changed = changed or bool(differing)
    return 1 if changed and arguments.check else 0


if __name__ == "__main__":
    sys.exit(main())
