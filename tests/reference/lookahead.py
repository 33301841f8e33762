"""Lookahead around any other method."""

from tests.reference.age import age


def lookahead(state, p, g, *, base, k, alpha, **knobs):
    t = age(state)
    slow = state.get("slow", p)
    fast = base(state.setdefault("inner", {}), p, g, **knobs)
    if t % k == 0:
        fast = slow = slow + alpha * (fast - slow)
    state["slow"] = slow
    return fast
