"""What optimizers reach at settings that nobody tuned: measured run by run, stored, and summed up in tables."""
