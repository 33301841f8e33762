"""What a recipe is, apart from the optimizer class that runs it: its spec, its name, its traits."""
