"""The causes of what a stack did, if they were seen."""
