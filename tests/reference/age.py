"""The number of the step that is being made."""


def age(state):
    """1 at the first call with this state, then 2, 3, ..."""
    state["t"] = state.get("t", 0) + 1
    return state["t"]
