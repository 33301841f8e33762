"""Tasks that optimizers are measured on, without a part in the choice of anybody's settings."""
