"""A model folder as bytes: stable JSON, digests, and the comparison with what is already on disk."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DISCLAIMER = "Decision support, not diagnosis: a clinician must interpret this estimate together with the person's history."


def stable_json(value: Any) -> bytes:
    """JSON whose bytes depend on the value alone: innermost lists on one line, two spaces per level."""
    return (_render(value, "") + "\n").encode()


def _render(value: Any, indent: str) -> str:
    inner = indent + "  "
    if isinstance(value, dict) and value:
        lines = [f"{inner}{json.dumps(key)}: {_render(item, inner)}" for key, item in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        return "[\n" + ",\n".join(inner + _render(item, inner) for item in value) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


@dataclass
class Artefact:
    """Everything of `models/<name>/<version>/` but the manifest, and the manifest without its digests."""

    manifest: dict[str, Any]
    files: dict[str, bytes]

    def contents(self) -> dict[str, bytes]:
        digests = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(self.files.items())}
        return {**self.files, "manifest.json": stable_json({**self.manifest, "files": digests})}

    def write(self, models: Path) -> list[str]:
        """Writes the folder and names the files whose bytes differ from those that stood there."""
        folder = models / self.manifest["name"] / self.manifest["version"]
        folder.mkdir(parents=True, exist_ok=True)
        changed = []
        for name, data in self.contents().items():
            path = folder / name
            if not path.exists() or path.read_bytes() != data:
                changed.append(f"{self.manifest['name']}/{self.manifest['version']}/{name}")
                path.write_bytes(data)
        return changed


def model_input(name: str, title: str, description: str, unit: str, low: float, high: float, **more: Any) -> dict[str, Any]:
    """One entry of the manifest's `inputs`; `more` holds the optional keys under their manifest names."""
    return {"name": name, "title": title, "description": description, "unit": unit, "min": low, "max": high, **more}


def golden_json(inputs: list[str], rows: list[list[float | None]], outputs: list[dict[str, Any]]) -> bytes:
    """`golden.json` from rows in input order and, per row, the expected outputs by name."""
    cases = [
        {"inputs": {name: value for name, value in zip(inputs, row) if value is not None}, "outputs": expected}
        for row, expected in zip(rows, outputs, strict=True)
    ]
    return stable_json({"tolerance": 1e-6, "cases": cases})
