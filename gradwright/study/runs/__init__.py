"""What is asked for, and one training run after another."""
