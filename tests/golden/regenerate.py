"""Write the stored trajectories anew: ``python -m tests.golden.regenerate [family ...]`` from the repository's root.

Do so only where a behaviour is meant to change; the difference in the file is then part of the change, and its lines
say which variants moved.
"""

import json
import sys
from pathlib import Path

from tests.families import families
from tests.families.kinds import Variant
from tests.golden.problem import trajectory

FOLDER = Path(__file__).with_name("trajectories")


def text(variants: dict[str, Variant]) -> str:
    """One line for each variant and step."""
    blocks = []
    for name, chosen in variants.items():
        lines = [f"  {json.dumps(at)}: {json.dumps(numbers)}" for at, numbers in trajectory(chosen).items()]
        blocks.append(f" {json.dumps(name)}: {{\n" + ",\n".join(lines) + "\n }")
    return "{\n" + ",\n".join(blocks) + "\n}\n"


if __name__ == "__main__":
    for family, module in families().items():
        variants = getattr(module, "GOLDEN", {})
        if variants and (not sys.argv[1:] or family in sys.argv[1:]):
            (FOLDER / f"{family}.json").write_text(text(variants))
            print(f"{family}.json: {len(variants)} variants")
