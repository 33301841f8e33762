"""What drives a run: a method, the monitor that decides when it ends, and the test for values that fall without end."""
