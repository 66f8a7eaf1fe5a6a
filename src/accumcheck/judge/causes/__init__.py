"""Why a stack did what it did, as far as it was seen."""
