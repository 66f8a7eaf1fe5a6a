"""The model and the fixed global batches that are trained, the same in every process, split and release."""
