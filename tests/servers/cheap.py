"""As `python app.py`, but for the price of a hash: no test that starts this is about that, and fuzzing signs in often."""

from dataclasses import replace

from rbac_api import Settings, create_app
from rbac_api.cli.serve import serve

if __name__ == "__main__":
    serve(create_app, replace(Settings.from_environment(), password_cost=4))
