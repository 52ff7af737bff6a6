"""What someone's operation computes instead, found from its results: arrays in, one array out."""
