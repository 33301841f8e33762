"""Traits: the words by which recipes are found and which the contract checks."""

TRAITS: dict[str, str] = {
    "elementwise": "each entry is updated from its own gradient and state alone",
    "rows": "takes sparse gradients: the rows that they touch move, each at its own age, and the others rest",
    "scale_free": "the step does not change when all gradients are multiplied by a number",
    "reduces": "the update needs norms or means of the tensor",
    "relative": "the step is measured against the weights",
    "sign": "every entry moves by the same amount",
    "matrix": "works on whole matrices; other parameters belong to another recipe",
    "needs_loss": "step(loss=...) or step(closure)",
    "averages": "keeps weights of its own to evaluate with: optimizer.evaluating()",
    "shared": "keeps numbers that all parameters share",
    "totals": "sums over all parameters",
    "clock": "has a cycle in which all parameters take part together",
    "coupled_decay": "weight decay is an L2 penalty and enters the moments",
    "low_memory": "keeps at most one number for each parameter",
}
"""Every trait a recipe may declare, in a sentence."""
