"""What every test has at hand; each plugin's first lines say what it gives."""

pytest_plugins = [
    "tests.plugins.leftovers",
    "tests.plugins.logs",
    "tests.plugins.services",
    "tests.plugins.broker",
    "tests.plugins.containers",
]
