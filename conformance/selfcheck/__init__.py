"""The kit judged by itself: mutants refused, sound code passed, modules named and not accused."""
