"""Saved records: how they are written as JSON, described, read back and checked. All of it follows from their types.

Reading and describing take pydantic, which `read`, `models` and `schema` import; writing does not.
"""
