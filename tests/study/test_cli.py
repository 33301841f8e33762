import builtins
import sys

import pytest

from gradwright import cli
from gradwright.losses import LOSSES
from gradwright.study import from_json

SMALL = ["--task", "digits-mlp", "--optimizers", "torch:AdamW,torch:SGD", "--seeds", "1", "--budget", "6"]


def call(monkeypatch, capsys, *words):
    monkeypatch.setattr(sys, "argv", ["gradwright", *words])
    with pytest.raises(SystemExit) as exit:
        cli.main()
    said = capsys.readouterr()
    return exit.value.code, said.out, said.err


def test_compare(monkeypatch, capsys, tmp_path):
    code, out, err = call(monkeypatch, capsys, "compare", *SMALL, "--out", str(tmp_path / "new" / "report"))
    assert code == 0
    assert "index.html" in out
    assert "torch:AdamW" in out
    assert "[2/2]" in err
    study = from_json((tmp_path / "new" / "report" / "results.json").read_text())
    assert study.environment["threads"] == 1


def test_compare_losses_takes_one_optimizer_unless_told_otherwise(monkeypatch, capsys, tmp_path):
    words = ["--task", "digits-mlp", "--losses", "ce,gce(q=0.3)", "--seeds", "1", "--budget", "6"]
    code, out, err = call(monkeypatch, capsys, "compare", *words, "--out", str(tmp_path))
    assert code == 0
    assert "[2/2]" in err
    assert "gce(q=0.3)" in out
    study = from_json((tmp_path / "results.json").read_text())
    assert [(run.optimizer, run.loss) for run in study.runs] == [("AdamW", "ce"), ("AdamW", "gce(q=0.3)")]
    assert study.tasks[0].metric.name == "accuracy"


def test_losses_are_listed_and_explained(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "200")
    code, out, _ = call(monkeypatch, capsys, "list")
    assert code == 0
    for name in ("AdamW", *LOSSES):
        assert f"\n{name} " in out, f"{name} is not in the list"
    code, out, _ = call(monkeypatch, capsys, "list", "--losses")
    assert code == 0
    assert "AdamW" not in out
    assert all(f"\n{name} " in out for name in LOSSES)
    assert "sceptical" in out
    code, out, _ = call(monkeypatch, capsys, "list", "--losses", "--fused")
    assert code == 2
    for name, entry in LOSSES.items():
        code, out, _ = call(monkeypatch, capsys, "explain", name)
        assert code == 0
        assert out.startswith(name)
        assert f"gradwright.losses.{entry.module.__name__}(" in out
        assert ("W(p)  " in out) == (entry.curve is not None)
    assert "-ln" in call(monkeypatch, capsys, "explain", "ce")[1].replace("−", "-")
    code, _, err = call(monkeypatch, capsys, "explain", "gce", "--latex")
    assert (code, "leave it out" in err) == (2, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--task", "digitsmlp"], "did you mean 'digits-mlp'"),
        (["--optimizers", "torch:Adm"], "torch:Adam"),
        (["--optimizers", ","], "optimizers is empty"),
        (["--out", f"{__file__}/report"], "cannot be written"),
        (["--budget", "long"], "budget='long'"),
        (["--losses", "tailor"], "did you mean 'tailr'"),
        (["--losses", "gce(q=2)"], "q=2 is outside"),
        (["--task", "digits-vae", "--losses", "ce"], "a loss of its own"),
    ],
)
def test_errors_are_one_line(monkeypatch, capsys, words, said):
    code, out, err = call(monkeypatch, capsys, "compare", *SMALL, *words)
    assert code == 2
    assert out == ""
    assert said in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_help_reads(monkeypatch, capsys):
    code, out, _ = call(monkeypatch, capsys, "compare", "--help")
    assert code == 0
    for option in ("--task", "--optimizers", "--seeds", "--out", "--lr-grid", "--budget", "--losses"):
        assert option in out


def test_without_the_extra_it_says_how_to_install_it(monkeypatch, capsys):
    real = builtins.__import__

    def without(name, *rest):
        if name == "typer":
            raise ModuleNotFoundError("No module named 'typer'", name="typer")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    code, _, _ = call(monkeypatch, capsys)
    assert code == 'gradwright needs typer for its command line: pip install "gradwright[study]"'
