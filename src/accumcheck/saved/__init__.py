"""Saved records: how they are written as JSON, described, read back and checked, all derived from their types.

Reading and describing need pydantic, which `read`, `models` and `schema` import; writing does not.
"""
