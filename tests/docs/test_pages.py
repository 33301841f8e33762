"""Every Python block of the documentation runs, page by page, after the lines that a reader is taken to have."""

import re
from pathlib import Path

import pytest
import torch

import gradwright

pytest.importorskip("sklearn")
DOCS = Path(gradwright.__file__).parent.parent / "docs"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.M | re.S)
OTHERS = {"distributed.md": "its lines run under torchrun, in examples/sharded.py"}
PAGES = sorted(path.name for path in DOCS.glob("*.md") if BLOCK.search(path.read_text()) and path.name not in OTHERS)

READER = """
import torch
import gradwright
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3))
inputs, targets = torch.randn(32, 8), torch.randint(3, (32,))
"""
"""What every page may use."""

OWN = {
    "diffusion.md": """
import torch
from torch.utils.data import DataLoader, TensorDataset
network = lambda x, t: 0.1 * x
loader = DataLoader(TensorDataset(torch.rand(64, 3, 32, 32) * 2 - 1), batch_size=32)
""",
    "linear_models.md": """
import numpy, sklearn.datasets
from gradwright.linear_model import Ridge
X, y = sklearn.datasets.load_iris(return_X_y=True)
for i in range(100):
    numpy.save(f"X{i}.npy", X); numpy.save(f"y{i}.npy", y.astype(float))
""",
    "losses.md": """
train = validation = [(inputs, targets)]
make_model = lambda: torch.nn.Linear(8, 3)
import gradwright.study, functools
""",
    "memory.md": """
model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Linear(16, 3)).bfloat16()
matrices = [torch.nn.Parameter(torch.randn(8, 8))]
""",
    "observe.md": """
optimizer, loader = gradwright.AdamW(model.parameters()), [(inputs, targets)]
loss_function = torch.nn.functional.cross_entropy
""",
    "release.md": """
optimizer = gradwright.SGD(model.parameters(), lr=0.1, momentum=0.9)
loss = torch.nn.functional.cross_entropy(model(inputs), targets)
""",
    "solvers.md": """
fun, x0 = (lambda x: (x - 1).square().sum()), torch.zeros(3)
def closure():
    loss = torch.nn.functional.cross_entropy(model(inputs), targets)
    return loss
small_batch = large_batch = closure
""",
    "with_lightning.md": """
import lightning, logging
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(inputs, targets), batch_size=8)
class Module(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = model
    def training_step(self, batch, index):
        return torch.nn.functional.cross_entropy(self.net(batch[0]), batch[1])
    def validation_step(self, batch, index):
        self.log("val_loss", self.training_step(batch, index))
    def configure_optimizers(self):
        return gradwright.Surefoot(self.named_parameters())
module = Module()
usual = lightning.Trainer
lightning.Trainer = lambda **options: usual(max_epochs=2, accelerator="cpu", logger=False, **options)
""",
    "with_trainer.md": """
import transformers
network = transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=8, n_embd=8, n_layer=1, n_head=1))
rows = [{"input_ids": [1, 2], "labels": [1, 2]}]
plain_arguments = transformers.TrainingArguments(output_dir="kept", report_to="none", use_cpu=True)
arguments = transformers.TrainingArguments(output_dir="kept", report_to="none", use_cpu=True)
""",
    "with_timm.md": """
import timm
network = timm.create_model("vit_tiny_patch16_224", img_size=32, embed_dim=12, depth=2, num_classes=3)
""",
}
"""What a page takes its reader to have, beside that."""

NEEDS = {"with_lightning.md": "lightning", "with_trainer.md": "transformers", "with_timm.md": "timm"}
"""Libraries that pages are about."""

AFTER = {
    "with_lightning.md": """
for made in (Averaged(), Routed()):
    lightning.Trainer(callbacks=[GradwrightCallback()]).fit(made, loader, loader)
""",
    "with_trainer.md": """
made = [trainer.create_optimizer()]
""",
}
"""What is done with what a page has made."""

BETWEEN = {
    "release.md": "micro_batches, k, loss = [(inputs, targets)] * 2, 2, torch.nn.functional.cross_entropy",
}
"""Lines after the first block."""

ELSEWHERE = ("load_model(", "joblib.load(", "gradwright.diffusion.diffusers import")
"""Blocks that need files or packages; the tests of linear models and of diffusers have the same calls."""


def _shorter(block):
    return re.sub(r"steps=\d{3,}", "steps=4", block)


@pytest.mark.parametrize("page", [pytest.param(p, marks=pytest.mark.slow if p in NEEDS else ()) for p in PAGES])
def test_blocks_run_one_after_another(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if page in NEEDS:
        pytest.importorskip(NEEDS[page], reason=f"{NEEDS[page]} is not installed, and the page is about it")
    names = {"__name__": "page"}
    exec(READER + OWN.get(page, ""), names)
    for at, block in enumerate(BLOCK.findall((DOCS / page).read_text())):
        if at == 1:
            exec(BETWEEN.get(page, ""), names)
        if not any(words in block for words in ELSEWHERE):
            with torch.enable_grad():
                exec(compile(_shorter(block), page, "exec"), names)
    exec(AFTER.get(page, ""), names)


def test_every_name_of_the_migration_table_exists():
    """Names in the columns that say 'here' are those of the package, or of the room that is named with them."""
    rooms = [gradwright, gradwright.solvers, gradwright.linear_model, gradwright.calibration, gradwright.schedules]
    for row in re.findall(r"^\| .*", (DOCS / "migration.md").read_text(), re.M):
        here = row.split("|")[2]
        for name in re.findall(r"`(?:gradwright\.)?(?:\w+\.)?([A-Z]\w+)(?:\([^`]*)?`", here):
            assert any(hasattr(room, name) for room in rooms), name
