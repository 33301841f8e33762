"""What parts of several rooms share: bounds of knobs, and how a tensor is seen as rows and matrices."""
