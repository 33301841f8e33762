"""Methods that learn curvature from their steps within a limited memory."""
