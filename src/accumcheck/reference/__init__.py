"""The independent truth: losses, token counts, gradients, noise floor."""
