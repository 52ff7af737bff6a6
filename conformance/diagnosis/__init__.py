"""What an implementation computes instead: the equation with named differences, by stages."""
