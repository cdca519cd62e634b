"""`python -m training DATA [model ...]`: rebuilds model folders and names every file whose bytes changed."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

BUILDERS = {"impairment-screen": "impairment_screen"}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument("data", type=Path, help="folder that holds oasis/, paquid/ and the other data sets")
    parser.add_argument("models", nargs="*", metavar="model", help=f"models to rebuild (default all): {', '.join(BUILDERS)}")
    parser.add_argument("--check", action="store_true", help="exit with 1 if any file changed")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.models) - set(BUILDERS))
    if unknown:
        parser.error(f"unknown model {', '.join(unknown)}; known: {', '.join(BUILDERS)}")
    target = Path(__file__).resolve().parent.parent
    changed: list[str] = []
    for name in arguments.models or BUILDERS:
        builder = importlib.import_module(f".{BUILDERS[name]}", __package__)
        differing = builder.build(arguments.data).write(target)
        print(f"{name}: " + (f"changed {', '.join(differing)}" if differing else "identical"), flush=True)
        changed += differing
    return 1 if changed and arguments.check else 0


if __name__ == "__main__":
    sys.exit(main())
