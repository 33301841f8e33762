"""What trainers of other libraries need to know of these optimizers; each part asks for its own library only.

| part | for | installed by |
|---|---|---|
| `gradwright.integrations.lightning` | a callback for Lightning's `Trainer` | `pip install "gradwright[lightning]"` |
| `gradwright.integrations.transformers` | Hugging Face's `Trainer` | `pip install "gradwright[transformers]"` |
| `gradwright.integrations.timm` | timm's `create_optimizer_v2` | `pip install "gradwright[timm]"` |
"""
