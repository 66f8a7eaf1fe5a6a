"""The independent reference: losses, token counts, gradients, noise floor."""
