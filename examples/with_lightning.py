"""Lightning, with nothing to tune
===============================

Lightning's Trainer with an optimizer that needs no learning rate, on scikit-learn's digits.

Surefoot evaluates with an average of its weights. The callback has that average in place while Lightning validates, in
the checkpoint that it keeps and in the model afterwards, and watches the run. The run is stopped half-way and resumed.

    pip install "gradwright[study,lightning]"
    python examples/with_lightning.py --quick
"""

import argparse
import logging
import tempfile
import warnings

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

import gradwright
from gradwright.integrations.lightning import GradwrightCallback


class Digits(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10))

    def configure_optimizers(self):
        return gradwright.Surefoot(self.named_parameters())

    def training_step(self, batch, index):
        return nn.functional.cross_entropy(self.net(batch[0]), batch[1])

    def validation_step(self, batch, index):
        outputs = self.net(batch[0])
        self.log("val_loss", nn.functional.cross_entropy(outputs, batch[1]))
        self.log("val_accuracy", (outputs.argmax(-1) == batch[1]).float().mean())


def fit(folder, train, validate, epochs, resume=None):
    callback = GradwrightCallback(watch={"every": 20}, monitor="val_loss")
    keeps = ModelCheckpoint(folder, "{epoch}", save_top_k=-1)
    trainer = pl.Trainer(
        max_epochs=epochs,
        callbacks=[callback, keeps],
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    torch.manual_seed(0)
    module = Digits()
    trainer.fit(module, train, validate, ckpt_path=resume, weights_only=False)
    return trainer, callback, module


def main(epochs):
    inputs, targets = (torch.from_numpy(array) for array in load_digits(return_X_y=True))
    data = TensorDataset(inputs.float() / 16, targets.long())
    parts = random_split(data, [1497, 300], torch.Generator().manual_seed(0))
    train, validate = DataLoader(parts[0], batch_size=32), DataLoader(parts[1], batch_size=300)
    with tempfile.TemporaryDirectory() as folder:
        trainer, callback, straight = fit(folder, train, validate, epochs)
        print(f"accuracy on validation, {epochs} epochs: {trainer.callback_metrics['val_accuracy']:.3f}")
        _, _, resumed = fit(folder, train, validate, epochs, resume=f"{folder}/epoch={epochs // 2 - 1}.ckpt")
    same = all(map(torch.equal, straight.parameters(), resumed.parameters()))
    print(f"resumed at half of it and trained on: {'the same, bit for bit' if same else 'not the same'}")
    print(*(callback.watch.findings() or ["the watch found nothing wrong"]), sep="\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="a few epochs")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    main(epochs=4 if parser.parse_args().quick else 20)
