"""Hugging Face's Trainer, with three recipes
==========================================

Hugging Face's Trainer with Muon for hidden matrices and AdamW for the rest, on the text of Python's own library.

The Trainer of gradwright.integrations takes what the optimizer is to be: here a preset that looks at the model. A small
GPT-2 of random weights learns to predict the next byte; nothing is downloaded. The run is resumed from a checkpoint.

    pip install "gradwright[transformers]"
    python examples/with_trainer.py --quick
"""

import argparse
import contextlib
import io
import tempfile
from pathlib import Path

import torch
import transformers

import gradwright
from gradwright.integrations.transformers import Trainer

LENGTH = 64


def pieces(name):
    """The source of a module of the standard library, as rows of bytes."""
    text = torch.tensor(list(Path(__import__(name).__file__).read_bytes()))
    rows = text[: len(text) // LENGTH * LENGTH].view(-1, LENGTH)
    return [{"input_ids": row, "labels": row} for row in rows]


def model():
    torch.manual_seed(0)
    config = transformers.GPT2Config(vocab_size=256, n_positions=LENGTH, n_embd=64, n_layer=2, n_head=4)
    return transformers.GPT2LMHeadModel(config)


def train(folder, steps, recipe, resume=None, **settings):
    arguments = transformers.TrainingArguments(
        output_dir=folder,
        max_steps=steps,
        per_device_train_batch_size=16,
        save_steps=steps // 2,
        report_to="none",
        logging_strategy="no",
        disable_tqdm=True,
        use_cpu=True,
        **settings,
    )
    trainer = Trainer(
        model(), arguments, train_dataset=pieces("argparse"), eval_dataset=pieces("textwrap"), recipe=recipe
    )
    trainer.train(resume_from_checkpoint=resume)
    return trainer


RECIPES = {
    "AdamW, as the arguments say": (gradwright.AdamW, {"learning_rate": 1e-3, "weight_decay": 0.01}),
    "Muon, and AdamW for the rest": (gradwright.presets.muon, {}),
    "Surefoot, nothing to tune": (gradwright.Surefoot, {"lr_scheduler_type": "constant"}),
}


def main(steps):
    for name, (recipe, settings) in RECIPES.items():
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            straight = train(folder, steps, recipe, **settings)
            loss = straight.evaluate()["eval_loss"]
            resumed = train(folder, steps, recipe, resume=f"{folder}/checkpoint-{steps // 2}", **settings)
        same = all(map(torch.equal, straight.model.parameters(), resumed.model.parameters()))
        print(f"{name:30} validation loss {loss:.3f}, resumed {'bit for bit' if same else 'otherwise'}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="a few steps")
    main(steps=20 if parser.parse_args().quick else 300)
