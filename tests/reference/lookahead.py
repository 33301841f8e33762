"""Lookahead around any other method."""

from tests.reference.age import age


def lookahead(state, p, g, *, base, k, alpha, pullback_momentum, **knobs):
    t = age(state)
    slow = state.get("slow", p)
    inner = state.setdefault("inner", {})
    fast = base(inner, p, g, **knobs)
    if t % k == 0:
        fast = slow = slow + alpha * (fast - slow)
        for momentum in {"m", "buffer"} & inner.keys():
            if pullback_momentum == "reset":
                inner[momentum] = 0.0 * inner[momentum]
            elif pullback_momentum == "pullback":
                inner[momentum] = alpha * inner[momentum] + (1 - alpha) * state.get("slow momentum", 0.0)
                state["slow momentum"] = inner[momentum]
    state["slow"] = slow
    return fast
