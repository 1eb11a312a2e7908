"""The application that people and programs reach over HTTP: pages in French, a JSON API; the same actions below."""
