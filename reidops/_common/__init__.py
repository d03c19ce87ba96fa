"""What several operators share: checks of arguments, layouts, dtypes and registration with torch."""
