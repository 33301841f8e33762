import builtins
import sys

import pytest

from gradwright import cli
from gradwright.study import Study

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
    study = Study.from_json((tmp_path / "new" / "report" / "results.json").read_text())
    assert study.environment["threads"] == 1


def test_compare_losses_takes_one_optimizer_unless_told_otherwise(monkeypatch, capsys, tmp_path):
    words = ["--task", "digits-mlp", "--losses", "ce,gce(q=0.3)", "--seeds", "1", "--budget", "6"]
    code, out, err = call(monkeypatch, capsys, "compare", *words, "--out", str(tmp_path))
    assert code == 0
    assert "[2/2]" in err
    assert "gce(q=0.3)" in out
    study = Study.from_json((tmp_path / "results.json").read_text())
    assert [(run.optimizer, run.loss) for run in study.runs] == [("AdamW", "ce"), ("AdamW", "gce(q=0.3)")]
    assert study.tasks[0].metric.name == "accuracy"


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
