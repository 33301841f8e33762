"""What makes one number of many losses, or weighs them: robust reducers, balance of tasks and gradients."""
