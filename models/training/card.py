"""The parts that every model card shares, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable

Estimate = tuple[float, float, float]


def with_interval(estimate: Estimate, digits: int = 3) -> str:
    value, low, high = estimate
    return f"{value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def table(header: list[str], rows: Iterable[Iterable[object]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def card(title: str, sections: list[tuple[str, str]]) -> bytes:
    parts = [f"# {title}", "**Decision support, not diagnosis.**"]
    parts += [f"## {heading}\n\n{body.strip()}" for heading, body in sections]
    return ("\n\n".join(parts) + "\n").encode()
