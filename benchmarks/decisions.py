"""Measures one decision at 100, 1,000 and 10,000 roles, beside pycasbin and cedarpy.

There is no server and no database, and one thread.

Every engine gets the same company: roles in chains of eight, each with its own permission, and a hundred
users with three roles each. Every engine gets the same questions in the same order; half of them are about
something that the user may do. The answers of the engines are compared before anything is measured. Each
engine runs in its own process, which is ended when it takes too long: the engine then counts as too slow at
that size, and at larger ones.
"""

from __future__ import annotations

import json
import multiprocessing
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import cycle
from multiprocessing.connection import Connection
from time import perf_counter, perf_counter_ns
from typing import Any

CHAIN = 8  # pycasbin follows at most ten links
PEOPLE = 100
HELD = 3
QUESTIONS = 2_000
AT = datetime(2026, 11, 22, 17, tzinfo=UTC)
Ask = Callable[[int, int], bool]  # may this person do what this role's own permission allows?


@dataclass(frozen=True)
class Company:
    """``held[person]`` are numbers of roles; role ``n`` inherits ``n + 1`` unless its chain ends there."""

    roles: int
    held: list[list[int]]
    questions: list[tuple[int, int]]

    @property
    def juniors(self) -> list[tuple[int, int]]:
        return [(n, n + 1) for n in range(self.roles - 1) if n % CHAIN != CHAIN - 1]


def company(roles: int) -> Company:
    """Return the company, the same one for every engine."""
    chance = random.Random(roles)
    held = [chance.sample(range(roles), HELD) for _ in range(PEOPLE)]
    questions = []
    for number in range(QUESTIONS):
        person = chance.randrange(PEOPLE)
        role = chance.choice(held[person])
        below = range(role, min(role - role % CHAIN + CHAIN, roles))
        questions.append((person, chance.choice(below) if number % 2 else chance.randrange(roles)))
    return Company(roles, held, questions)


# -- ours ----------------------------------------------------------------------------------------------------


def graph_and_subjects(given: Company) -> tuple[Any, list[Any]]:
    """Return the company as our own decision has it."""
    from rbac_api.decision.hierarchy import RoleGraph
    from rbac_api.decision.model import Assignment, Permission, Role, Subject

    roles = [Role(f"role-{n}", frozenset({f"thing-{n}:read"})) for n in range(given.roles)]
    catalogue = [Permission(f"thing-{n}:read") for n in range(given.roles)]
    graph = RoleGraph.compile(roles, catalogue, ((f"role-{a}", f"role-{b}") for a, b in given.juniors))
    subjects = [
        Subject(f"person-{n}", "active", tuple(Assignment(f"role-{role}", AT) for role in held))
        for n, held in enumerate(given.held)
    ]
    return graph, subjects


def ours_without_cache(given: Company) -> Ask:
    """The pure function itself, without a cache."""
    from rbac_api.decision.evaluate import decide

    graph, subjects = graph_and_subjects(given)
    names = [f"thing-{n}:read" for n in range(given.roles)]
    return lambda person, role: decide(graph, subjects[person], names[role], AT).allowed


def ours_with_cache(given: Company) -> Ask:
    """The guard's state of a user, which caches decisions until something changes."""
    from rbac_api.guard.state.subjects import person_of

    graph, subjects = graph_and_subjects(given)
    names = [f"thing-{n}:read" for n in range(given.roles)]
    people = [person_of(graph, subject, "person", subject.id, AT) for subject in subjects]
    return lambda person, role: people[person].may(names[role]).allowed


# -- theirs --------------------------------------------------------------------------------------------------

_CASBIN_MODEL = """
[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.obj == p.obj && r.act == p.act && g(r.sub, p.sub)
"""


def pycasbin(given: Company) -> Ask:
    """The RBAC model of pycasbin; cheap comparisons come first, so that the expensive one is rarely made."""
    import casbin  # type: ignore[import-untyped]
    from casbin.model import Model  # type: ignore[import-untyped]
    from casbin.persist.adapters import StringAdapter  # type: ignore[import-untyped]

    lines = [f"p, role-{n}, thing-{n}, read" for n in range(given.roles)]
    lines += [f"g, role-{a}, role-{b}" for a, b in given.juniors]
    lines += [f"g, person-{n}, role-{role}" for n, held in enumerate(given.held) for role in held]
    model = Model()
    model.load_model_from_text(_CASBIN_MODEL)
    enforcer = casbin.Enforcer(model, StringAdapter("\n".join(lines)))
    return lambda person, role: bool(enforcer.enforce(f"person-{person}", f"thing-{role}", "read"))


def cedarpy_by_policies(given: Company) -> Ask:
    """One policy for each role, parsed beforehand."""
    policies = (
        f'permit(principal in Role::"{n}", action == Action::"read", resource == Thing::"{n}");'
        for n in range(given.roles)
    )
    return _cedar(given, "\n".join(policies))


def cedarpy_by_entities(given: Company) -> Ask:
    """One policy for all roles; the readers of a thing are its attribute. Also parsed beforehand."""
    return _cedar(
        given, 'permit(principal, action == Action::"read", resource) when { principal in resource.reader };'
    )


def _cedar(given: Company, policies: str) -> Ask:
    import cedarpy

    juniors = dict(given.juniors)

    def entity(kind: str, number: int, roles: list[int], **attributes: Any) -> dict[str, Any]:
        parents = [{"type": "Role", "id": str(role)} for role in roles]
        return {"uid": {"type": kind, "id": str(number)}, "attrs": attributes, "parents": parents}

    entities = [entity("Role", n, [juniors[n]] if n in juniors else []) for n in range(given.roles)]
    entities += [entity("Person", n, held) for n, held in enumerate(given.held)]
    entities += [
        entity("Thing", n, [], reader={"__entity": {"type": "Role", "id": str(n)}})
        for n in range(given.roles)
    ]
    rules = cedarpy.PolicySet.from_str(policies)
    known = cedarpy.Entities.from_json_str(json.dumps(entities))

    def ask(person: int, role: int) -> bool:
        request = {
            "principal": f'Person::"{person}"',
            "action": 'Action::"read"',
            "resource": f'Thing::"{role}"',
        }
        return bool(cedarpy.is_authorized({**request, "context": {}}, rules, known).allowed)

    return ask


GUARD = "ours, with cache"
PURE = "ours, without cache"  # like the others, so it is their baseline
ENGINES: dict[str, Callable[[Company], Ask]] = {
    GUARD: ours_with_cache,
    PURE: ours_without_cache,
    "pycasbin": pycasbin,
    "cedarpy, a policy for each role": cedarpy_by_policies,
    "cedarpy, one policy over entities": cedarpy_by_entities,
}


# -- measuring -----------------------------------------------------------------------------------------------


def measure_decisions(
    sizes: tuple[int, ...], seconds: float, time_limit: float
) -> list[dict[str, float | str]]:
    """Return a row per engine and size.

    It has microseconds per decision, as a multiple of ours at that size, and of the engine's own at the
    smallest size.
    """
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for size in sizes:
        for name in ENGINES:
            given_up = any(
                (name, smaller) in found and "p50_us" not in found[name, smaller] for smaller in sizes
            )
            found[name, size] = {} if given_up else _in_a_process(name, size, seconds, time_limit)
    _require_agreement(found, sizes)
    return [_row(name, size, found, sizes[0], time_limit) for size in sizes for name in ENGINES]


def _in_a_process(name: str, size: int, seconds: float, time_limit: float) -> dict[str, Any]:
    """Return the result of an engine's process; empty if it took too long."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(name, size, seconds, time_limit, there), daemon=True)
    process.start()
    there.close()
    try:
        found: dict[str, Any] = here.recv() if here.poll(2 * time_limit + seconds) else {}
    except EOFError as fault:
        raise RuntimeError(f"{name} failed at {size} roles") from fault
    finally:
        process.kill()
        process.join()
    return found


def _measure(name: str, size: int, seconds: float, time_limit: float, results: Connection) -> None:
    given = company(size)
    ENGINES[name](company(CHAIN))  # imports what it needs
    began = perf_counter()
    ask = ENGINES[name](given)
    loaded = perf_counter() - began
    answers = []
    for question in given.questions:
        answers.append(ask(*question))
        if perf_counter() - began > time_limit:
            break
    results.send({"load_ms": loaded * 1000, "answers": answers, **_percentiles(ask, given, seconds)})


def _percentiles(ask: Ask, given: Company, seconds: float) -> dict[str, float]:
    """Time each of at least ten decisions, including the reading of the clock (some 0.05 us)."""
    times: list[int] = []
    questions = cycle(given.questions)
    until = perf_counter() + seconds
    while len(times) < 10 or perf_counter() < until:
        question = next(questions)
        began = perf_counter_ns()
        ask(*question)
        times.append(perf_counter_ns() - began)
    times.sort()
    return {
        "p50_us": times[len(times) // 2] / 1000,
        "p99_us": times[len(times) * 99 // 100] / 1000,
        "decisions": len(times),
    }


def _require_agreement(found: dict[tuple[str, int], dict[str, Any]], sizes: tuple[int, ...]) -> None:
    for size in sizes:
        ours = found[PURE, size]["answers"]
        if len(set(ours)) != 2:
            raise RuntimeError("questions that are all answered alike show nothing")
        for name in ENGINES:
            answers = found[name, size].get("answers", [])
            if answers != ours[: len(answers)]:
                raise RuntimeError(f"{name} decides differently at {size} roles")


def _row(
    name: str, size: int, found: dict[tuple[str, int], dict[str, Any]], smallest: int, time_limit: float
) -> dict[str, float | str]:
    mine = found[name, size]
    row: dict[str, float | str] = {"decider": name, "roles": f"{size:,}"}
    if "p50_us" not in mine:
        return {
            **row,
            **dict.fromkeys(
                ("load_ms", "p50_us", "p99_us", "times_ours", "growth"), f"over {time_limit:.0f} s"
            ),
        }
    figures = {name: mine[name] for name in ("load_ms", "p50_us", "p99_us")}
    ratios = {
        "times_ours": mine["p50_us"] / found[PURE, size]["p50_us"],
        "growth": mine["p50_us"] / found[name, smallest]["p50_us"],
    }
    return {**row, **figures, **ratios}
