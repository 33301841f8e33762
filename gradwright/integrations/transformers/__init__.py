"""Hugging Face's Trainer with any recipe: routed, told the loss, and with the right weights evaluated and saved."""

from gradwright.integrations.needed import missing

try:
    import transformers
except ModuleNotFoundError as error:
    raise missing("transformers", error) from None

from gradwright.integrations.transformers.callback import EvaluationWeights
from gradwright.integrations.transformers.trainer import RecipeMixin, Trainer

__all__ = ["EvaluationWeights", "RecipeMixin", "Trainer"]
