"""What every loss begins and ends with: checks, rows of logits and targets, the reduction to one number."""
