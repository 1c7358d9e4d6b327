"""The product with leases of forty seconds: whoever is waited for, though gone, is waited for beyond any doubt.

Run as a program it is `python app.py` in all other respects.
"""

import runpy
from pathlib import Path

from rbac_api.database import freshness

if __name__ == "__main__":
    freshness.LEASE_SECONDS = 40.0
    runpy.run_path(str(Path(__file__).resolve().parents[2] / "app.py"), run_name="__main__")
