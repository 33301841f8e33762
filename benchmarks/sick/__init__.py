"""Small training runs with one known fault each, and healthy ones."""
