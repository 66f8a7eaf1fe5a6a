"""How keys of a configuration are declared, for the configuration itself and for the stacks that add to it."""
