import pytest
from typer.testing import CliRunner

from gradwright.cli.app import application
from gradwright.cli.load import load

MODEL = """
import torch
SIZE = 3
def make():
    return torch.nn.Linear(SIZE, 2)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "net.py").write_text(MODEL)
    (tmp_path / "broken.py").write_text("import no_such_module")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("where", ["net.py:make", "net:make"])
def test_a_model_is_found_by_file_and_by_module(folder, where):
    said = CliRunner().invoke(application(), ["suggest", where])
    assert said.exit_code == 0, said.output
    assert "1. Surefoot" in said.output


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("net.py", "write file.py:function or module:function"),
        ("net.py:made", "net.py has no 'made'; did you mean 'make'"),
        ("net.py:SIZE", "net.py:SIZE is a int: name a function that makes the model"),
        ("gone.py:make", "there is no file 'gone.py'"),
        ("broken.py:make", "'broken.py' cannot be imported: No module named 'no_such_module'"),
        ("gone:make", "'gone' cannot be imported"),
    ],
)
def test_what_is_not_there_is_named(folder, where, message):
    with pytest.raises(ValueError, match=message):
        load(where)
