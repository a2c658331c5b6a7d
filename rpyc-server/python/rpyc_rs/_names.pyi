PLACES: dict[str, str]
