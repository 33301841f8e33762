"""What a run hands back: why it stopped, what it found, and how it got there."""
