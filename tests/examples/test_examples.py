"""Every script in examples/ runs in its quick form, in an empty folder, and leaves what it says it leaves."""

import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

import gradwright

pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")
FOLDER = Path(gradwright.__file__).parent.parent / "examples"
SCRIPTS = sorted(FOLDER.glob("*.py"))
NEEDS = {"with_lightning.py": "lightning", "with_trainer.py": "transformers", "with_timm.py": "timm"}
SLOW = {"optimal_variance_digits.py", "certified_softmax.py", "watched_runs.py", *NEEDS}


def run(script, folder, *words):
    command = [sys.executable, str(script), *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


def pictures(folder):
    """The sizes of all pictures in a folder, each of which must be one."""
    found = {}
    for path in folder.glob("*.png"):
        content = path.read_bytes()
        assert content.startswith(b"\x89PNG"), f"{path.name} is no picture"
        found[path.name] = struct.unpack(">II", content[16:24])
    return found


@pytest.mark.parametrize(
    "script",
    [pytest.param(each, marks=pytest.mark.slow if each.name in SLOW else (), id=each.stem) for each in SCRIPTS],
)
def test_it_runs_quickly_and_alone(script, tmp_path):
    if script.name in NEEDS:
        pytest.importorskip(NEEDS[script.name], reason=f"{NEEDS[script.name]} is not installed")
    text = script.read_text()
    is_program, takes_quick = "__main__" in text, '"--quick"' in text
    done = run(script, tmp_path, *(["--quick"] if takes_quick else []))
    assert done.returncode == 0, done.stdout + done.stderr
    assert bool(done.stdout.strip()) == is_program
    assert "Traceback" not in done.stderr
    assert not re.search(r"\b(nan|inf)\b", done.stdout)
    promised = set(re.findall(r'default=(?:Path\()?"([\w-]+\.png)"', text))
    found = pictures(tmp_path)
    assert set(found) == promised
    assert all(width > 300 and height > 200 for width, height in found.values())
    assert text.startswith('"""'), "the first lines say what it shows and how to run it"
    assert not takes_quick or f"python examples/{script.name} --quick" in text


@pytest.mark.slow
def test_bounded_losses_give_wrong_labels_up(tmp_path):
    """What the first lines of label_noise.py say, in its full form."""
    said = run(FOLDER / "label_noise.py", tmp_path).stdout
    rows = [line for line in said.splitlines() if re.match(r".{28} +0\.\d{3} ", line)]
    accuracy = {line[:28].strip(): float(line[28:37]) for line in rows}
    assert len(accuracy) == 4
    plain = accuracy.pop("cross-entropy")
    assert all(other > plain + 0.02 for other in accuracy.values()), said


@pytest.mark.slow
def test_calibration_by_label_helps(tmp_path):
    """What the first lines of multilabel_thresholds.py say: one temperature for each label has the least error."""
    said = run(FOLDER / "multilabel_thresholds.py", tmp_path).stdout
    rows = [line.split()[-3:] for line in said.splitlines() if line.startswith(("binary", "multi-label"))]
    assert len(rows) == 2
    errors = [float(value) for value in rows[1]]
    assert errors[2] == min(errors), said
