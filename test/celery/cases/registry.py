"""The list of cases: what each is called, when it runs, and whether the gateway differs from Celery by design."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cases.session import Session

#: What a case has seen, as JSON: without ids, times and names of nodes.
Outcome = Any

#: Lanes of a phase run at the same time, the cases of a lane one after the other; a case without a lane has its own.
PHASES = ("together", "alone", "mixed", "last", "outside")


@dataclass(frozen=True)
class Case:
    name: str
    run: Callable[[Session], Outcome]
    phase: str
    lane: str
    #: What the gateway shows instead of what Celery shows, and why.
    gateway: Outcome
    why: str
    #: Lowest version of Celery that has what the case uses.
    since: tuple[int, ...]
    #: The gateway differs from versions of Celery before this one only.
    before: tuple[int, ...]


CASES: dict[str, Case] = {}


def case(
    name: str,
    *,
    phase: str = "together",
    lane: str | None = None,
    gateway: Outcome = None,
    why: str = "",
    since: tuple[int, ...] = (5, 2),
    before: tuple[int, ...] = (99,),
) -> Callable[[Callable[[Session], Outcome]], Callable[[Session], Outcome]]:
    """Adds a function to the cases. Phases run in their order; `outside` runs only if it is asked for by name."""
    if phase not in PHASES or (gateway is None) != (why == ""):
        raise ValueError(name)

    def register(run: Callable[[Session], Outcome]) -> Callable[[Session], Outcome]:
        if name in CASES:
            raise ValueError(f"two cases are called {name}")
        CASES[name] = Case(name, run, phase, phase if phase == "alone" else lane or name, gateway, why, since, before)
        return run

    return register
