version: tuple[str, ...]
version_string: str
release_date: str
