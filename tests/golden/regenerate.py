"""Write ``trajectories.json`` anew: ``python -m tests.golden.regenerate`` from the root of the repository.

Do so only where a behaviour is meant to change; the difference in the file is then part of the change, and its lines
say which variants moved.
"""

import json
from pathlib import Path

from tests.golden.problem import VARIANTS, trajectory

FILE = Path(__file__).with_name("trajectories.json")


def text() -> str:
    """One line for each variant and step."""
    blocks = []
    for name, chosen in VARIANTS.items():
        lines = [f"  {json.dumps(at)}: {json.dumps(numbers)}" for at, numbers in trajectory(chosen).items()]
        blocks.append(f" {json.dumps(name)}: {{\n" + ",\n".join(lines) + "\n }")
    return "{\n" + ",\n".join(blocks) + "\n}\n"


if __name__ == "__main__":
    FILE.write_text(text())
    print(f"{FILE.name}: {len(VARIANTS)} variants")
