"""Small applications that the tests export and run."""
