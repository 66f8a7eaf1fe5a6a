"""How configuration keys are declared, by the configuration itself and by the stacks that add keys."""
